# SPDX-License-Identifier: AGPL-3.0-or-later
"""How mail comes in: LMTP, IMAP, Maildir, a pipe."""
