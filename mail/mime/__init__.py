# SPDX-License-Identifier: AGPL-3.0-or-later
"""The parts of a letter (RFC 2045 to 2049)."""
