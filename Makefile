# SPDX-License-Identifier: AGPL-3.0-or-later
# Short names for scripts/, which work without make too.
.PHONY: demo test check format lock bench
demo test check lock bench:
	@scripts/$@
format:
	@scripts/setup test
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .
