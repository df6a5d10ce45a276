# SPDX-License-Identifier: AGPL-3.0-or-later
"""A person with a client, for the demo and the tests."""
