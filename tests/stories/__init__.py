# SPDX-License-Identifier: AGPL-3.0-or-later
"""The promises, end to end, on real parts."""
