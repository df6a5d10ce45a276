# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an opened letter says about its ticket: what it is about, from whom, how protected."""

import re

from desk.config import DeskConfig
from desk.letters.opened import EncryptionState, Opened, SignatureState

_PROGRAM = re.compile(r"[a-z0-9-]{1,30}")


def kind_of(opened: Opened) -> str:
    """Return words of ours: what the report names is taken only where it looks like a program's name."""
    if opened.whisperback is None:
        return "e-mail"
    app = opened.whisperback.app
    return f"bug report, {app}" if app and _PROGRAM.fullmatch(app) else "bug report"


def contact_of(config: DeskConfig, opened: Opened) -> str | None:
    """Return the address of the person: for a WhisperBack report the one in it, as its From leads nowhere.

    None where there is none, or where it is the desk's own: nobody is answered there.
    """
    if opened.whisperback is not None:
        contact = opened.whisperback.contact_email
    else:
        contact = opened.headers.reply_to or opened.headers.sender
    return None if not contact or config.is_ours(contact) else contact


def subject_of(opened: Opened) -> str:
    """Return the person's own subject."""
    return opened.whisperback.report_subject if opened.whisperback is not None else opened.headers.subject


def is_confidential(opened: Opened) -> bool:
    """Tell whether the letter came encrypted (whatever became of the decryption) or through WhisperBack."""
    return opened.by_whisperback or opened.encryption.state is not EncryptionState.NONE


def writer_of(opened: Opened) -> str:
    """Return the address that what was encrypted, or a good signature over all of it, names as its writer's.

    Empty where nothing does: anybody can send on what somebody else has encrypted, alone or within a
    ciphertext of their own, and sign and address it as they like ("Re: What's Up Johnny?", Müller and
    others, 2019).
    """
    states = {each.state for each in opened.signatures}
    if not _is_one_ciphertext(opened) or (states & _NOT_THEIRS and not opened.relayed):
        return ""
    if opened.whisperback is not None:
        return opened.whisperback.contact_email or ""
    is_signed = states == {SignatureState.GOOD} and all(each.covers == "all" for each in opened.signatures)
    is_named = opened.headers.names_sender and not opened.relayed
    return opened.headers.sender if is_named or is_signed else ""


def _is_one_ciphertext(opened: Opened) -> bool:
    """Whether there is one, and all else within: a signature or fields around it tell nothing of it."""
    outermost = opened.form.partition(", ")[0]
    return len(opened.sessions) == 1 and outermost.startswith(_ENCRYPTED) and " + " not in opened.form


def tells_inner_subject(opened: Opened) -> bool:
    """Tell whether the person's subject stood inside the protection, not where anybody reads it."""
    headers = opened.headers
    is_inner = headers.protected or headers.subject != headers.outer_subject
    return is_inner or opened.whisperback is not None or bool(opened.relayed)


def worst_signature(opened: Opened) -> str:
    """Return the state of the worst signature; "none" without any (R11: BAD wins)."""
    order = list(_WORST_FIRST)
    found = sorted((each.state for each in opened.signatures), key=order.index)
    return found[0].value if found else "none"


_ENCRYPTED = ("pgp/mime encrypted", "inline encrypted", "encrypted attachment")
"""What forms begin with whose outermost layer is encryption."""
_NOT_THEIRS = frozenset(
    {
        SignatureState.BAD,
        SignatureState.REVOKED_KEY,
        SignatureState.PARTIAL,
        SignatureState.GOOD_OTHER_SENDER,
    }
)
_WORST_FIRST = (
    SignatureState.BAD,
    SignatureState.REVOKED_KEY,
    SignatureState.EXPIRED_KEY,
    SignatureState.PARTIAL,
    SignatureState.UNKNOWN_KEY,
    SignatureState.GOOD_OTHER_SENDER,
    SignatureState.GOOD,
)
