# SPDX-License-Identifier: AGPL-3.0-or-later
"""A whole help desk on this machine alone."""
