# SPDX-License-Identifier: AGPL-3.0-or-later
"""What must hold before a start."""
