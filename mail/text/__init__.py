# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bytes of headers and bodies as text."""
