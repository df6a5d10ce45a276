# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail, in and out, with OpenPGP."""
