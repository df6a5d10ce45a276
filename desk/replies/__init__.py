# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers to users, and how they are protected."""
