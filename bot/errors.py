# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can go wrong between the bot and its homeserver; each text is a sentence for a person.

MatrixError
    HomeserverUnreachable   nobody answers at start
    LoginRefused            wrong password, unknown account, unusable token
    SessionGone             the access token no longer counts
    StoreInUse              another process holds the keys
    ForeignIdentity         the account's identity was made by somebody else
    ApprovalNeeded          the homeserver wants a person to approve a change
    TryLater                this request may work later
        KeyStoreTrouble     ... when the disk takes the bot's keys
        TooFast             the homeserver limits how much one account may do
    Rejected                this request will not work
"""

import os


class MatrixError(Exception):
    """Root of the tree; the text is for the person who runs the bot."""

    exit_code = os.EX_UNAVAILABLE


class HomeserverUnreachable(MatrixError):
    """No usable answer from the homeserver while starting."""


class LoginRefused(MatrixError):
    """The homeserver does not let this account in."""

    exit_code = os.EX_CONFIG


class SessionGone(MatrixError):
    """The homeserver answered M_UNKNOWN_TOKEN: the device was signed out."""

    exit_code = os.EX_CONFIG


class StoreInUse(MatrixError):
    """Two processes with one key store would break each other's sessions."""

    exit_code = os.EX_TEMPFAIL


class ForeignIdentity(MatrixError):
    """The account has a cross-signing identity whose keys are not ours."""

    exit_code = os.EX_CONFIG


class ApprovalNeeded(MatrixError):
    """The homeserver offers no way to go on with a password alone."""

    exit_code = os.EX_CONFIG


class TryLater(MatrixError):
    """A request that may work later; `after` is what the homeserver asked for, in seconds."""

    def __init__(self, sentence: str, after: float | None = None) -> None:
        super().__init__(sentence)
        self.after = after


class KeyStoreTrouble(TryLater):
    """The disk did not take what had to be kept of the bot's keys."""


class TooFast(TryLater):
    """The homeserver limits how much one account may do in a time (M_LIMIT_EXCEEDED)."""


class Rejected(MatrixError):
    """A request that will not work however often it is made; `code` is Matrix's errcode."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code
