# SPDX-License-Identifier: AGPL-3.0-or-later
"""Synapse for tests: the demo's homeserver, without a life after the test."""

from pathlib import Path

from helproom.demo.homeserver import Homeserver, HomeserverError, Site

__all__ = ["Homeserver", "HomeserverError", "lay_site"]


def lay_site(folder: Path, *, throttled: bool = False, usual_limits: bool = False) -> Site:
    """Describe a homeserver under `folder`; `throttled` gives 429 after three messages or logins.

    With `usual_limits` it has those of a Synapse whose config names none.
    """
    return Site(folder, "test-only-secret", throttled=throttled, usual_limits=usual_limits)
