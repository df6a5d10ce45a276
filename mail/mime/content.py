# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a tree of parts to the text a person wrote and the files that came with it."""

import mimetypes
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from desk.letters.opened import Attachment, Unopenable
from mail.files.attachments import as_file
from mail.files.calendar import TYPES as CALENDARS
from mail.files.calendar import describe
from mail.files.tnef import unpack
from mail.files.uuencode import take_out_files
from mail.limits import TEXT_BYTES
from mail.mime.alternatives import is_copy, letters, says_more
from mail.mime.key_files import holds_only_keys, is_key_part
from mail.mime.parts import Part, read_parts
from mail.openpgp.packets import MESSAGE_BEGIN
from mail.text.charsets import decode
from mail.text.flowed import unflow
from mail.text.html import charset_of, html_to_text
from mail.text.printable import readable

_LEGACY_LINES = re.compile(
    r"\A(?:(?:Subject|From|To|Cc|Date|Reply-To|Followup-To): [^\n]*\n(?:[ \t][^\n]*\n)*)+\n"
)
"""Headers repeated at the head of a text, which RFC 9788, 5.2.2, wants hidden."""
_LEGACY_PART = re.compile(
    r"(?:(?:Subject|From|To|Cc|Date|Reply-To|Followup-To|Message-ID|In-Reply-To|References): [^\n]*\n"
    r"(?:[ \t][^\n]*\n)*)+",
    re.IGNORECASE,
)
"""A part that holds nothing else."""
_LEGACY_DIV = re.compile(
    r"<div\s[^<>]{0,200}?\bheader-protection-legacy-display\b[^<>]{0,200}>.{0,8000}?</div>",
    re.DOTALL | re.IGNORECASE,
)
"""The same in HTML (RFC 9788, 5.2.2.2)."""
_CUT_OFF = f"\n\n[The text is longer than {TEXT_BYTES // 1_000_000} MB; the rest is left out here.]\n"
_GUESSED = "The letter does not say truly in which charset it is written; some letters may be wrong."
_SHAPELESS = (
    "The letter says that it has several parts, but they cannot be told apart; it is shown as it came."
)
GUESSED_PARTS = "The letter's parts are not marked as it says; they were told apart all the same."
_RICH_TYPES = frozenset({"application/rtf", "text/rtf"})
_NO_FORMS = frozenset({*CALENDARS, "text/vcard", "text/x-vcard", "text/directory", "text/rfc822-headers"})
_ENRICHED_TYPES = frozenset({"text/enriched", "text/richtext"})
_WORD_TYPES = frozenset({*_ENRICHED_TYPES, "text/markdown", "text/x-markdown"})
"""What else people's words are sent as."""
_ENRICHMENT = re.compile(r"</?[A-Za-z][A-Za-z0-9-]{0,59}>(?:<param>[^<>]{0,200}</param>)?")
"""Commands of text/enriched (RFC 1896)."""
_PASSED_ON = frozenset({"message/rfc822", "message/global"})
_ENCRYPTED = re.compile(rb"^Content-Type:\s{1,9}multipart/encrypted", re.IGNORECASE | re.MULTILINE)
_NO_OWN_WORDS = "The letter has no words of its own; what is shown are those of the mail that it passes on."
_SHUT_PASSED_ON = "A mail that the letter passes on holds an encrypted message, which was not opened."
_LOOSE_SIGNATURE = (
    "A signature came with the letter that belongs to none of its parts as they are now; it was not checked."
)
_BROKEN_SIGNED = re.compile(r"^[ \t]{0,40}-----BEGIN PGP SIGNED MESSAGE-----", re.MULTILINE)
_NOT_CHECKED = "A signed text in the letter has lost its end or its lines; its signature was not checked."
_PIECE = (
    "The letter is a piece of a longer one that its program has cut (message/partial); the pieces are not "
    "put together."
)
_STATUS_WORDS = "The letter's only words stand in a report of a mail server; they are shown as they came."
_STATUS_TYPES = frozenset(
    {
        *("message/delivery-status", "message/global-delivery-status", "message/xdelivery-status"),
        *("message/disposition-notification", "message/global-disposition-notification"),
        "message/feedback-report",
    }
)
_TNEF_TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_TORN = "The letter's winmail.dat cannot be unpacked; it is listed as it is."
_OUTLOOK = "The letter's words are in Outlook's own form (winmail.dat); what is shown is their text."
_FORMS = "The letter's text came in forms that do not say the same; all of them are shown."
_HTML_ONLY = "Words of the letter are HTML only; what is shown is their text."


@dataclass
class Content:
    """What was found in one tree, apart from cryptography."""

    texts: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    key_parts: list[Part] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    hide_copies: bool = False
    whole: Part | None = None
    """The one part there is, which is the text of the letter even if it has a file name."""
    read: dict[Part, str] = field(default_factory=dict, repr=False)
    """What forms of a text say, as some are asked for at each level of nested ones."""
    is_passed_on: bool = False
    """Whether its texts are those of a mail that the letter passes on."""

    @property
    def text(self) -> str:
        """The one text as it is, or all of them with an empty line between."""
        return _joined(self.texts)

    def note(self, problem: str) -> None:
        """Keep a sentence about something odd, once."""
        if problem not in self.problems:
            self.problems.append(problem)


def join_texts(contents: Sequence[Content]) -> str:
    """Return the texts of several trees, as `Content.text` returns those of one."""
    return _joined([text for content in contents for text in content.texts])


def _joined(texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    return "\n\n".join(text.strip("\n") for text in texts if text.strip())


def safe_text(part: Part) -> tuple[str, bool]:
    """Decode a text part to characters with LF line ends; the flag tells that the charset was guessed."""
    content, charset = part.content(), part.params.get("charset", "")
    if part.type == "text/html" and not charset:
        charset = charset_of(content)
    return _decoded(part, content, charset)


def _decoded(part: Part, content: bytes, charset: str) -> tuple[str, bool]:
    text, guessed = clean_text(content, charset)
    if part.params.get("format", "").lower() == "flowed" and part.type == "text/plain":
        text = unflow(text, delete_space=part.params.get("delsp", "").lower() == "yes")
    return text, guessed


def clean_text(content: bytes, charset: str) -> tuple[str, bool]:
    """Decode bytes by `charset` or a guess; control characters become U+FFFD, line ends LF.

    Of a text past `TEXT_BYTES` the beginning is shown, and that it is one.
    """
    if len(content) > TEXT_BYTES:
        text, guessed = clean_text(content[:TEXT_BYTES], charset)
        return text + _CUT_OFF, guessed
    text, guessed = decode(content, charset)
    return readable(text), guessed


def read_content(root: Part, *, left_out: Collection[Part] = (), hide_copies: bool = False) -> Content:
    """Collect text, attachments and offered keys below `root`, without going into `left_out`.

    `hide_copies` leaves out the copies of protected headers that senders make for older mail programs;
    it is for what stood under a protection only, as anybody can hide words like this elsewhere.
    """
    whole = root
    while len(whole.children) == 1:
        whole = whole.children[0]
    content = Content(hide_copies=hide_copies, whole=whole)
    _collect(root, content, left_out)
    if not left_out and not hide_copies and not content.text.strip():
        _show_passed_on(content)
    if not content.text.strip():
        _show_status(content)
    return content


def _show_status(content: Content) -> None:
    """Where a letter has no words but those that a mail server wrote for programs, show them."""
    status = next((file for file in content.attachments if file.type in _STATUS_TYPES), None)
    if status is not None and status.content.strip():
        content.texts.append(clean_text(status.content, "")[0])
        content.note(_STATUS_WORDS)


def _show_passed_on(content: Content) -> None:
    """Where an unprotected letter has no words of its own, show those of the first mail that it passes on."""
    passed = next((file for file in content.attachments if file.type in _PASSED_ON), None)
    if passed is None:
        return
    inner = Content()
    with suppress(Unopenable):
        _collect(read_parts(passed.content), inner, ())
    if words := inner.text.strip():
        content.texts.append(words)
        content.is_passed_on = True
        content.note(_NO_OWN_WORDS)


def _collect(part: Part, content: Content, left_out: Collection[Part]) -> None:
    if part in left_out:
        return
    if not part.children:
        _collect_leaf(part, content)
        return
    if part.is_guessed:
        content.note(GUESSED_PARTS)
        content.texts += [clean_text(part.before, "")[0]] if part.before else []
    chosen = _choose(part, content, left_out) if part.type == "multipart/alternative" else part.children
    if part.type == "multipart/alternative" and sum(map(_holds_text, chosen)) > 1 and not left_out:
        content.note(_FORMS)
    for child in part.children if len(chosen) < len(part.children) else ():
        if child not in chosen:
            _collect_files(child, content, left_out)
    for child in chosen[1:] if content.hide_copies and _is_legacy_display(part) else chosen:
        _collect(child, content, left_out)
    content.texts += [clean_text(part.behind, "")[0]] if part.behind else []


def _collect_files(part: Part, content: Content, left_out: Collection[Part]) -> None:
    """Keep the pictures and files of a form that is not shown: Apple Mail puts them into the HTML form."""
    for leaf in part.walk():
        if not (_holds_text(leaf) or _is_other_form(leaf)) and leaf not in left_out:
            _collect_leaf(leaf, content)


def _is_legacy_display(part: Part) -> bool:
    """The draft before RFC 9788 repeats protected headers in a first part, for older clients."""
    first = part.children[0]
    is_copy = first.type in {"text/plain", "text/rfc822-headers"} and "protected-headers" in first.params
    is_told = "protected-headers" in part.params or first.type == "text/rfc822-headers"
    is_marked = part.type == "multipart/mixed" and is_told and is_copy
    return is_marked and _LEGACY_PART.fullmatch(safe_text(first)[0].strip() + "\n") is not None


def _choose(part: Part, content: Content, left_out: Collection[Part]) -> tuple[Part, ...]:
    """Plain text if there is any with words in it, else the last and richest form (RFC 2046, 5.1.4).

    So are other forms that say something else, and what is no text at all (an invitation, a picture).
    """
    others = tuple(child for child in part.children if not (_holds_text(child) or _is_other_form(child)))
    opened = [child for child in part.children if child in left_out and child.type == "text/plain"]
    if opened:
        known = letters(_words_of(opened[0], content))
        rest = [child for child in part.children if child not in opened and _holds_text(child)]
        return (*(child for child in rest if not _is_copy(child, known, content)), *others)
    if left_out and any(child in left_out for child in part.walk()):
        return part.children
    texts = [child for child in part.children if _holds_text(child)]
    plain = [child for child in texts if child.type == "text/plain" and _words_of(child, content).strip()]
    if plain:
        known = letters(_words_of(plain[0], content))
        more = [child for child in plain[1:] if not _is_copy(child, known, content)]
        pages = [child for child in texts if child.type != "text/plain"]
        more += [child for child in pages if _says_more(child, known, content)]
        return (plain[0], *more, *others)
    return (*_richest(part.children, content), *others)


def _richest(forms: Sequence[Part], content: Content) -> tuple[Part, ...]:
    """Return the last form that holds words: one that can be read before one that is kept as a file."""
    texts = [child for child in forms if _holds_text(child)]
    rich = [child for child in forms if _is_other_form(child) and child not in texts]
    with_words = [child for child in texts if child.children or _words_of(child, content).strip()]
    with_words = with_words or [child for child in rich if child.content().strip()]
    return tuple((with_words or texts or rich)[-1:])


def _is_copy(form: Part, known: str, content: Content) -> bool:
    return all(is_copy(each, known) for each in _texts_of(form, content))


def _says_more(form: Part, known: str, content: Content) -> bool:
    return any(says_more(each, known) for each in _texts_of(form, content))


def _texts_of(form: Part, content: Content) -> Iterator[str]:
    return (_words_of(leaf, content) for leaf in form.walk() if not leaf.children and _holds_text(leaf))


def _words_of(part: Part, content: Content) -> str:
    """Return what a plain text or an HTML page says."""
    if part not in content.read:
        text = safe_text(part)[0]
        content.read[part] = html_to_text(text) if part.type == "text/html" else text
    return content.read[part]


def _holds_text(part: Part) -> bool:
    return (part.type in {"text/plain", "text/html"} and not part.is_attached) or bool(part.children)


def _is_other_form(part: Part) -> bool:
    """Tell one more form of a text (rich text, AMP) from an invitation or a file."""
    is_form = part.type in _RICH_TYPES or (part.type.startswith("text/") and part.type not in _NO_FORMS)
    return is_form and not part.name and not part.is_attached


def _collect_leaf(part: Part, content: Content) -> None:
    is_file = part.is_attached or (bool(part.name) and part is not content.whole)
    is_words = part is content.whole and part.type.startswith("text/") and not is_file
    if not is_words and is_key_part(part):
        content.key_parts.append(part)
        if holds_only_keys(part.content()):
            return
    if part.type == "message/partial":
        _collect_piece(part, content)
    elif part.type.startswith("multipart/"):
        content.texts.append(safe_text(part)[0])
        content.note(_SHAPELESS)
    elif part.type == "text/plain" and not is_file:
        _collect_text(part, content)
    elif part.type == "text/html" and not is_file:
        _collect_page(part, content)
    elif part.type in _WORD_TYPES and not is_file:
        text = safe_text(part)[0]
        content.texts.append(_ENRICHMENT.sub("", text) if part.type in _ENRICHED_TYPES else text)
    else:
        _collect_file(part, content)


def _collect_piece(part: Part, content: Content) -> None:
    """Show what stands in a piece of a letter: the first begins with the letter's own fields."""
    content.note(_PIECE)
    piece = Content()
    try:
        _collect(read_parts(part.content()), piece, ())
    except Unopenable:
        _collect_file(part, content)
        return
    content.texts += piece.texts
    content.attachments += piece.attachments


def _collect_text(part: Part, content: Content) -> None:
    text, guessed = safe_text(part)
    if "\nbegin " in f"\n{text}":
        left, files = take_out_files(part.content())
        content.attachments += [as_file(name, _type_of(name), data) for name, data in files]
        text, guessed = _decoded(part, left, part.params.get("charset", "")) if files else (text, guessed)
    if content.hide_copies and part.params.get("hp-legacy-display") == "1":
        text = _LEGACY_LINES.sub("", text, count=1)
    content.texts.append(text)
    if guessed:
        content.note(_GUESSED)
    if _BROKEN_SIGNED.search(text):
        content.note(_NOT_CHECKED)


def _type_of(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _collect_page(part: Part, content: Content) -> None:
    page, guessed = safe_text(part)
    if guessed:
        content.note(_GUESSED)
    if content.hide_copies and part.params.get("hp-legacy-display") == "1":
        page = _LEGACY_DIV.sub("", page, count=1)
    # Read again: a page's character references can stand for control characters.
    text = readable(html_to_text(page))
    content.texts.append(text)
    if text:
        content.note(_HTML_ONLY)


def _collect_file(part: Part, content: Content) -> None:
    file = as_attachment(part)
    if file.type == "application/pgp-signature":
        content.note(_LOOSE_SIGNATURE)
    if file.type in _PASSED_ON and (MESSAGE_BEGIN in file.content or _ENCRYPTED.search(file.content)):
        content.note(_SHUT_PASSED_ON)
    if part.type not in _TNEF_TYPES and not part.name.lower().endswith("winmail.dat"):
        content.attachments.append(file)
        return
    try:
        unpacked = unpack(file.content)
    except ValueError:
        content.attachments.append(file)
        content.note(_TORN)
        return
    content.attachments += [as_file(each.name, each.type, each.content) for each in unpacked.files]
    if not content.text.strip() and unpacked.text.strip():
        content.texts.append(readable(unpacked.text))
        content.note(_OUTLOOK)


def as_attachment(part: Part) -> Attachment:
    """Keep a part as a file; its name is harmless and never empty."""
    data = part.content()
    is_calendar = part.type in CALENDARS or part.name.lower().endswith(".ics")
    about = describe(data, part.params.get("charset", "")) if is_calendar else ""
    return as_file(part.name, part.type, data, about)
