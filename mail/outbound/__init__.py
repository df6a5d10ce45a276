# SPDX-License-Identifier: AGPL-3.0-or-later
"""How answers are composed and handed over."""
