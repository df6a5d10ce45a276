# SPDX-License-Identifier: AGPL-3.0-or-later
"""What queries cost on a desk that has had many tickets."""
