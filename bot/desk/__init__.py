# SPDX-License-Identifier: AGPL-3.0-or-later
"""From events to commands."""
