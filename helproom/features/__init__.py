# SPDX-License-Identifier: AGPL-3.0-or-later
"""One file a feature: what it carries, does again and again, and keeps running."""
