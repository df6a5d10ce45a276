# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was encrypted or signed, and how much of a letter."""
