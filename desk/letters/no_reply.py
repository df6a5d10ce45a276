# SPDX-License-Identifier: AGPL-3.0-or-later
"""Addresses at which nobody reads, whatever they are called at the domain. Pure."""

import re

# RFC 3834, 2.
_NOBODY = re.compile(
    r"(?:owner-.*|.*-(?:request|owner|bounces?)|bounces?(?:[+-].*)?|(?:do-?)?not?-?reply(?:[+._-].*)?"
    r"|mailer-daemon|postmaster|majordomo|listserv|mailman)"
)


# What WhisperBack writes as its sender. Letters from there are people's, letters to there are thrown away.
_UNREAD = "devnull"


def is_unread(address: str) -> bool:
    """Tell whether nobody reads what is sent to this address."""
    return is_nobody(address) or address.partition("@")[0].lower() == _UNREAD


def is_nobody(address: str) -> bool:
    """Tell whether no program may answer to this address."""
    return _NOBODY.fullmatch(address.partition("@")[0].lower()) is not None
