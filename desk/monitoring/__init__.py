# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether all is well."""
