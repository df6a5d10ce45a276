# SPDX-License-Identifier: AGPL-3.0-or-later
"""Issue trackers: issues that tickets are linked to are read."""

from desk.problems.links import READ
from helproom.features.feature import Feature
from helproom.parts.parts import Parts
from trackers.reading import IssueReader


def wire(parts: Parts) -> Feature:
    """Return what reads issues; without a tracker, it says so."""
    return Feature(carriers={READ: IssueReader(parts.place, parts.desk.tracker).read})
