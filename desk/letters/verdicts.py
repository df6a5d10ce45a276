# SPDX-License-Identifier: AGPL-3.0-or-later
"""What agents read about encryption and signatures: in words, never green for nothing."""

from desk.letters.facts import tells_inner_subject, writer_of
from desk.letters.opened import Attachment, EncryptionState, Opened, SignatureState
from storage.sealing.columns import to_json

ENCRYPTION_WORDS = {
    EncryptionState.NONE.value: "not encrypted",
    EncryptionState.OK.value: "encrypted",
    EncryptionState.UNDECRYPTABLE.value: "encrypted, cannot be opened",
    EncryptionState.BROKEN.value: "BROKEN encryption, not shown",
    EncryptionState.PARTIAL.value: "only partly encrypted",
}
SIGNATURE_WORDS = {
    "none": "not signed",
    SignatureState.GOOD.value: "signed with a key seen here",
    SignatureState.GOOD_OTHER_SENDER.value: "signed, but by SOMEBODY ELSE than the sender",
    SignatureState.UNKNOWN_KEY.value: "signed with an unknown key",
    SignatureState.EXPIRED_KEY.value: "signed with an EXPIRED key",
    SignatureState.REVOKED_KEY.value: "signed with a REVOKED key",
    SignatureState.BAD.value: "BAD signature",
    SignatureState.PARTIAL.value: "only partly signed",
}


def encryption_words(opened: Opened) -> str:
    """Return one sentence on how a letter was protected."""
    parts = [ENCRYPTION_WORDS[opened.encryption.state.value]]
    parts += [SIGNATURE_WORDS[signature.state.value] for signature in opened.signatures]
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def details_of(opened: Opened, *, from_contact: bool = True) -> str:
    """Return, as JSON, what else an agent should see beside the text: verdicts, attachments, problems.

    `from_contact` tells whether it came from the ticket's address.
    """
    return to_json(
        {
            "form": opened.form,
            "from_contact": from_contact,
            "protection": encryption_words(opened),
            "encryption_state": opened.encryption.state.value,
            "encryption": opened.encryption.detail,
            "signatures": [signature.detail for signature in opened.signatures if signature.detail],
            "unprotected_text": opened.unprotected_text,
            "attachments": [_file(each) for each in opened.attachments],
            "replayed": opened.is_replayed,
            "problems": list(opened.problems),
            "mismatch": list(opened.headers.mismatch),
            "sender": opened.headers.sender,
            "to": list(opened.headers.recipients),
            "copies": list(opened.headers.copies),
            "user_text": opened.whisperback.user_text if opened.whisperback is not None else "",
            "relayed": list(opened.relayed),
            "writer": writer_of(opened),
            "inner_message_id": opened.headers.inner_message_id,
            "inner_subject": tells_inner_subject(opened),
        }
    )


def _file(attachment: Attachment) -> dict[str, str | int]:
    found = {"looks_like": attachment.looks_like, "danger": attachment.danger, "about": attachment.about}
    shown: dict[str, str | int] = {
        "name": attachment.name,
        "type": attachment.type,
        "size": attachment.size,
    }
    return shown | {name: words for name, words in found.items() if words}
