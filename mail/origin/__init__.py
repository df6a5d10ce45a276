# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who wrote it: a person, a program, a mail server, a list."""
