# SPDX-License-Identifier: AGPL-3.0-or-later
"""Opening a letter: bytes in, a frozen `Opened` out; pure apart from the runs of GnuPG."""

from collections.abc import Iterator, Sequence

from desk.config import Relay
from desk.letters.opened import Automatic, Bounce, Opened, WhisperBack
from mail.mime.content import Content, join_texts
from mail.mime.parts import Part, read_parts
from mail.mime.same_mail import identity
from mail.openpgp.keyring import Keyring
from mail.origin.automatic import (
    is_complaint,
    is_unanswerable,
    loop_marks,
    why_automatic,
    why_automatic_within,
)
from mail.origin.delivery_reports import read_bounce
from mail.origin.schleuder import UNPROVED, Relayed, looks_relayed, read_relayed
from mail.protection.layers import LayerOpener, Layers
from mail.protection.protected_headers import (
    choose_headers,
    protected_fields,
    unmarked_subject,
    with_unmarked_subject,
)
from mail.protection.signer import bind_sender, is_signed_long_before, odd_senders
from mail.protection.unwrap import take_off
from mail.reading.sender_keys import Holder, read_keys, with_verdict_on_key
from mail.text.charsets import guessing_for_one_letter
from mail.text.headers import HeaderBlock
from mail.text.language import detect
from mail.whisperback.report import odd_fields, read_report

_UNPROTECTED = (
    "Words that were not encrypted or signed stand beside the protected part; anybody may have added them."
)

_STRAYS = (
    "Lines without a colon stand among the letter's header fields; they were read as part of the line before."
)
_GUESSED_SUBJECT = "The subject does not say truly in which charset it is written; some letters may be wrong."
_UNMARKED = (
    "Inside the encryption stands a subject that is not marked as the letter's own, so that it is not proved "
    "to be: “{subject}”."
)
_OLD_SIGNATURE = (
    "The signature was made long before the date that the letter bears: somebody may have sent old words "
    "again."
)

_UNNAMED = "The list that relayed the letter names no sender whose address can be read."


@guessing_for_one_letter()
def open_letter(
    raw: bytes,
    keyring: Keyring,
    *,
    signers: Sequence[bytes] = (),
    mail_from: str | None = None,
    relays: Sequence[Relay] = (),
) -> Opened:
    """Open one letter. It blocks for as long as GnuPG runs, so call it in a thread.

    `signers` are public keys whose signatures are worth something; `mail_from` is the envelope sender
    ("" for the null sender, None if it is not known). `relays` are the lists whose word counts.
    Raises Unopenable for what is in the bytes, KeyringUnusable when the desk's own GnuPG fails.
    KeyRefused means that one of `signers` is no public key.
    """
    letter = read_parts(raw)
    layers = take_off(letter, LayerOpener(keyring, signers, letter))
    inner = protected_fields(layers.payload)
    told = _unwrapped(letter, layers, inner, keyring, signers, relays)
    contents = (*told.contents, *layers.outside)
    text, beside = join_texts(told.contents), join_texts(layers.outside)
    report = read_report(_report_text(told.contents, text), told.headers)
    # An Autocrypt header of a list is not the writer's.
    writers = None if told.words else letter
    protected = inner if told.headers.protected else None
    offers = read_keys(keyring, Holder(writers, protected, told, layers.outside), report)
    report = with_verdict_on_key(report, offers.keys)
    problems = (*_problems(letter, layers, told, report), *offers.problems)
    why = _why_automatic(letter, layers, mail_from)
    automatic = _automatic(why, told, report)
    return Opened(
        form=layers.form,
        encryption=layers.encryption,
        headers=told.headers,
        text=text,
        signatures=told.signatures,
        unprotected_text=beside,
        attachments=tuple(one for content in contents for one in content.attachments) + offers.refused,
        keys=offers.keys,
        whisperback=report,
        automatic=automatic,
        is_unanswerable=is_unanswerable(letter, mail_from, why),
        loop_marks=loop_marks(letter),
        bounce=_bounce(letter, _within(letter, layers), automatic, mail_from),
        identity=identity(raw),
        language=detect(report.user_text if report else text or beside),
        sessions=layers.sessions,
        relayed=told.words,
        problems=tuple(dict.fromkeys((*problems, *([_UNPROTECTED] if beside else [])))),
    )


def _report_text(contents: Sequence[Content], text: str) -> str:
    """Return the longest text where that is a report: lists write parts of their own before and behind it."""
    longest = max((each for content in contents for each in content.texts), key=len, default="")
    return longest if longest.startswith("Subject:") else text


def _problems(letter: Part, layers: Layers, told: Relayed, report: WhisperBack | None) -> tuple[str, ...]:
    contents = (*told.contents, *layers.outside)
    found = (*layers.problems, *(problem for content in contents for problem in content.problems))
    return (*found, *_odd_form(letter, layers, told), *_odd(letter, contents, told, report))


def _unwrapped(
    letter: Part,
    layers: Layers,
    inner: HeaderBlock | None,
    keyring: Keyring,
    signers: Sequence[bytes],
    relays: Sequence[Relay],
) -> Relayed:
    """Choose the headers and judge the signatures; without what a list has put around the letter."""
    signing = inner if inner is not None and inner.raw("from") else letter.headers
    signatures = tuple(bind_sender(one, signing, keyring, signers) for one in layers.signatures)
    headers = choose_headers(letter.headers, inner, layers.encryption, signatures)
    headers = with_unmarked_subject(headers, letter.headers, _unmarked(letter, layers))
    plain = Relayed(headers, layers.inside, signatures)
    return read_relayed(letter.headers, layers.payload, plain, relays)


def _unmarked(letter: Part, layers: Layers) -> str:
    return unmarked_subject(letter.headers, layers.payload, layers.encryption)


def _why_automatic(letter: Part, layers: Layers, mail_from: str | None) -> Automatic | None:
    """Judge the letter as it came, then what was under its protection."""
    whys = map(why_automatic_within, _wrapped(letter, layers))
    return why_automatic(letter, mail_from) or next(filter(None, whys), None)


def _within(letter: Part, layers: Layers) -> Part | None:
    """Return what is under the protection, as what it says of itself counts, too."""
    reports = [part for part in _wrapped(letter, layers) if part.type == "multipart/report"]
    return next(iter(reports), None)


def _wrapped(letter: Part, layers: Layers) -> Iterator[Part]:
    """Yield what is under the protection, and the one part that only wrappers stand around."""
    part = layers.payload or layers.unproved or letter
    if part is not letter:
        yield part
    elif letter.type != "multipart/signed":
        return
    while len(part.children) == 1 or (part.children and part.type == "multipart/signed"):
        part = part.children[0]
        yield part


def _bounce(
    letter: Part, within: Part | None, automatic: Automatic | None, mail_from: str | None
) -> Bounce | None:
    """Read a report where it stands: as the letter, or under its protection."""
    report = letter if within is None else within
    is_one = automatic is Automatic.BOUNCE or (automatic is not None and is_complaint(report))
    return read_bounce(report, mail_from) if is_one else None


def _automatic(why: Automatic | None, told: Relayed, report: WhisperBack | None) -> Automatic | None:
    """Say why no person wrote the letter: a report is a person's, and so is what a list relays for one."""
    if report is not None and report.whisperback_id:
        return None
    return None if told.words and why is Automatic.LIST else why


def _odd_form(letter: Part, layers: Layers, told: Relayed) -> tuple[str, ...]:
    """Say what is odd about header fields and about the time of a signature."""
    subject, inner = _unmarked(letter, layers), protected_fields(layers.payload)
    dates = (letter.headers,) if inner is None else (letter.headers, inner)
    return (
        *((_STRAYS,) if any(part.headers.has_strays for part in letter.walk()) else ()),
        *((_GUESSED_SUBJECT,) if letter.headers.is_guessed("subject") else ()),
        *((_UNMARKED.format(subject=subject),) if subject else ()),
        *((_OLD_SIGNATURE,) if any(is_signed_long_before(each, told.signatures) for each in dates) else ()),
    )


def _odd(
    letter: Part, contents: Sequence[Content], told: Relayed, report: WhisperBack | None
) -> tuple[str, ...]:
    """Say what is odd about who is named as sender, and about the fields of a report."""
    fields = odd_fields(report) if report is not None else ()
    if told.words:
        return fields if told.headers.sender else (_UNNAMED, *fields)
    forged = (UNPROVED,) if report is None and looks_relayed(contents) else ()
    return (*odd_senders(letter.headers), *forged, *fields)
