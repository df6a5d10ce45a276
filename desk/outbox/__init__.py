# SPDX-License-Identifier: AGPL-3.0-or-later
"""What must be sent, written with the decision."""
