# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters that a person must look at."""
