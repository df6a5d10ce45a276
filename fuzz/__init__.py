# SPDX-License-Identifier: AGPL-3.0-or-later
"""Coverage-guided fuzzing (atheris) of what reads a stranger's bytes; see `scripts/fuzz`."""
