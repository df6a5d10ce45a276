# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is written to standard error."""

from typing import Literal

from helproom.config.sections.section import Section


class LogSection(Section):
    """What is written to standard error; ids only, at every level."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    form: Literal["auto", "json", "console"] = "auto"
