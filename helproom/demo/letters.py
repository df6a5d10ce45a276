# SPDX-License-Identifier: AGPL-3.0-or-later
"""The users' side of the demo: what they write, and how they open what they get."""

import base64
import email.utils
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from importlib import resources

from desk.letters.opened import Signature
from helproom.demo.stage import ENGLISH, USER, Stage
from helproom.world import real_world
from mail.testing.whisperback_writer import write_report

FRENCH_USER = "luc.exemple@example.net"
SUBJECT = "Wi-Fi is gone since the last update"
SENTENCE = "I wanted to send the draft of my article to the newspaper."
FRENCH_SENTENCE = "perdu ma clé USB dans le train"
ANSWER = "Your adapter needs another firmware: with 7.1.1, out tomorrow, it works again."
FRENCH_ANSWER = "Personne ne peut lire vos documents sans votre phrase de passe."
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg=="
)
"""Three by two pixels, in the place of a photograph."""
PRIVATE = (USER, FRENCH_USER, SUBJECT, SENTENCE, FRENCH_SENTENCE, ANSWER, FRENCH_ANSWER)
"""Words that no file of a server may hold in readable form."""


@dataclass(frozen=True)
class Received:
    """A mail as its recipient's program shows it."""

    subject: str
    text: str
    signatures: tuple[Signature, ...]


def encrypted_report(stage: Stage) -> bytes:
    """Mila's report, encrypted to the desk by WhisperBack, with her public key in it."""
    key = stage.user.export_public_key(stage.user_key).decode("ascii")
    report = _text("report.txt").format(address=USER, key=key)
    report_id = f"{int.from_bytes(real_world().token().encode()[:16]):032x}"
    return write_report(report, report_id=report_id, recipient=ENGLISH, desk_key=stage.public_key("en"))


def plain_letter() -> bytes:
    """Luc's mail with a picture, in French and not encrypted, to the English address."""
    date = email.utils.format_datetime(real_world().now())
    text = _text("letter.txt").format(
        address=FRENCH_USER, recipient=ENGLISH, date=date, picture=base64.b64encode(PICTURE).decode("ascii")
    )
    return text.replace("\n", "\r\n").encode("utf-8")


def open_encrypted(stage: Stage, mail: bytes) -> Received | None:
    """Open an answer with Mila's secret key; None when that does not work."""
    parts = _parse(mail).get_payload()
    if not isinstance(parts, list) or len(parts) != 2:  # noqa: PLR2004 - RFC 3156, 4
        return None
    opened = stage.user.decrypt(_payload(parts[1]), [stage.public_key("en")])
    return _received(opened.data, opened.signatures) if opened.data is not None else None


def open_signed(stage: Stage, mail: bytes) -> Received | None:
    """Read a signed answer and check its signature as Luc's program does; None when it is not signed."""
    message = _parse(mail)
    parts, boundary = message.get_payload(), message.get_boundary()
    if message.get_content_type() != "multipart/signed" or not isinstance(parts, list) or not boundary:
        return None
    # What is signed is the part's bytes as they travelled, without the line end before the delimiter.
    signed = mail.split(f"--{boundary}".encode())[1].removeprefix(b"\r\n").removesuffix(b"\r\n")
    found = stage.user.verify_detached(signed, _payload(parts[1]), [stage.public_key("en")])
    return _received(signed, found)


def _received(content: bytes, signatures: tuple[Signature, ...]) -> Received:
    inner = _parse(content)
    return Received(str(inner["Subject"]), str(inner.get_content()).replace("\r\n", "\n"), signatures)


def _parse(mail: bytes) -> EmailMessage:
    return message_from_bytes(mail, policy=policy.default)


def _payload(part: Message | str) -> bytes:
    payload = part.get_payload(decode=True) if isinstance(part, Message) else None
    return payload if isinstance(payload, bytes) else b""


def _text(name: str) -> str:
    return resources.files("helproom.demo").joinpath(name).read_text(encoding="utf-8")
