# SPDX-License-Identifier: AGPL-3.0-or-later
"""The sections of config.yaml, one file each: its keys, and the value that they become.

What lies outside the desk is imported where it is made, not at the top: `helproom deliver` reads the config
for each letter, and has no use for Matrix, GnuPG or a tracker.
"""
