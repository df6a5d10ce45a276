# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail servers and programs for the demo and the tests."""
