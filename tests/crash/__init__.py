# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is left of a mail and of a command when the process is killed in the middle."""
