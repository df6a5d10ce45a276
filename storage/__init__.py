# SPDX-License-Identifier: AGPL-3.0-or-later
"""The database, in and out: models, sealed columns, named queries, migrations."""
