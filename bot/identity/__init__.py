# SPDX-License-Identifier: AGPL-3.0-or-later
"""The bot's device, and whose devices it believes."""
