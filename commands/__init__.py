# SPDX-License-Identifier: AGPL-3.0-or-later
"""What agents can say, one file per family."""
