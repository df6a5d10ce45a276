# SPDX-License-Identifier: AGPL-3.0-or-later
"""Addresses at which nobody reads, whatever they are called at the domain. Pure."""

import re

# RFC 3834, 2.
_NOBODY = re.compile(
    r"(?:owner-.*|.*-(?:request|owner|bounces?)|bounces?(?:[+-].*)?|(?:do-?)?not?-?reply(?:[+._-].*)?"
    r"|mailer-daemon|postmaster|majordomo|listserv|mailman)"
)


def is_nobody(address: str) -> bool:
    """Tell whether no program may answer to this address."""
    return _NOBODY.fullmatch(address.partition("@")[0].lower()) is not None
