# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is attached, and the formats in which files hide."""
