# SPDX-License-Identifier: AGPL-3.0-or-later
"""The config file, and what the parts get of it."""
