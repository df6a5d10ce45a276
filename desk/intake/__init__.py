# SPDX-License-Identifier: AGPL-3.0-or-later
"""What becomes of a letter, step by step."""
