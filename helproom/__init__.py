# SPDX-License-Identifier: AGPL-3.0-or-later
"""The console script: settings, wiring, schedule."""
