# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `helproom check` tries, one file for each part of the house."""
