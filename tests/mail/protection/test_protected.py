# SPDX-License-Identifier: AGPL-3.0-or-later
"""Protected headers (RFC 9788 and the draft before): which ones count, and what is said when they differ."""

import pytest

from desk.letters.opened import Automatic, SignatureState
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, Person, encrypted, entity, headers, multipart, signed

CIPHER = 'text/plain; charset=utf-8; hp="cipher"'
CLEAR = 'text/plain; charset=utf-8; hp="clear"'
DRAFT = 'text/plain; charset=utf-8; protected-headers="v1"'
OUTER = ("alice@user.example", "...")


@pytest.mark.parametrize("type_", [CIPHER, DRAFT])
def test_the_protected_subject_counts(desk: Desk, alice: Person, type_: str) -> None:
    inside = entity(
        "x", "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "From: Alice <alice@user.example>", type_=type_
    )
    raw = headers(*OUTER) + encrypted(alice.encrypt(inside, desk.public))
    found = open_letter(raw, desk.keyring).headers
    assert (found.subject, found.outer_subject, found.protected) == ("Grüße", "...", True)
    assert found.mismatch == ()


def test_a_subject_inside_without_the_mark_is_shown_and_told(desk: Desk, alice: Person) -> None:
    inside = entity("x", "Subject: inner", "From: boss@desk.example")
    for outer, shown in ((OUTER, "inner"), (("alice@user.example", "Hello"), "Hello")):
        opened = open_letter(headers(*outer) + encrypted(alice.encrypt(inside, desk.public)), desk.keyring)
        found = opened.headers
        assert (found.subject, found.sender, found.protected) == (shown, "alice@user.example", False)
        assert any("not marked" in problem and "inner" in problem for problem in opened.problems)


def test_an_encrypted_from_that_nobody_signed_does_not_count(desk: Desk, alice: Person) -> None:
    inside = entity("x", "From: boss@desk.example", "Reply-To: evil@user.example", type_=CIPHER)
    found = open_letter(headers(*OUTER) + encrypted(alice.encrypt(inside, desk.public)), desk.keyring).headers
    assert (found.sender, found.reply_to, found.mismatch) == ("alice@user.example", "", ("From",))


def test_a_signed_from_counts_and_the_difference_is_named(desk: Desk, alice: Person) -> None:
    inside = entity("x", "From: alice@user.example", "Subject: inner", type_=CIPHER)
    raw = headers("list@lists.example", "...") + encrypted(alice.encrypt(inside, desk.public, "--sign"))
    opened = open_letter(raw, desk.keyring, signers=[alice.public])
    assert (opened.headers.sender, opened.headers.mismatch) == ("alice@user.example", ("From",))
    assert [one.state for one in opened.signatures] == [SignatureState.GOOD]


def test_a_signed_from_of_another_does_not_count(desk: Desk, alice: Person) -> None:
    inside = entity("x", "From: boss@desk.example", type_=CIPHER)
    raw = headers(*OUTER) + encrypted(alice.encrypt(inside, desk.public, "--sign"))
    opened = open_letter(raw, desk.keyring, signers=[alice.public])
    assert opened.headers.sender == "alice@user.example"
    assert [one.state for one in opened.signatures] == [SignatureState.GOOD_OTHER_SENDER]


def test_headers_under_a_signature_count_only_while_it_holds(desk: Desk, alice: Person) -> None:
    content = entity("x", "Subject: really", "From: alice@user.example", type_=CLEAR)
    raw = headers("alice@user.example", "faked") + signed(alice, content)
    assert open_letter(raw, desk.keyring, signers=[alice.public]).headers.subject == "really"
    assert open_letter(raw, desk.keyring).headers.subject == "faked"
    damaged = raw.replace(b"Subject: really", b"Subject: changed")
    assert open_letter(damaged, desk.keyring, signers=[alice.public]).headers.subject == "faked"


def test_headers_of_a_signed_part_beside_others_do_not_count(desk: Desk, alice: Person) -> None:
    part = signed(alice, entity("x", "Subject: inner", "From: alice@user.example", type_=CLEAR))
    raw = headers(*OUTER) + multipart("multipart/mixed", entity("beside"), part)
    found = open_letter(raw, desk.keyring, signers=[alice.public]).headers
    assert (found.subject, found.protected) == ("...", False)


def test_copies_of_headers_for_old_clients_are_hidden(desk: Desk, alice: Person) -> None:
    text = entity("Subject: inner\nFrom: a@b.example\n\nThe words", type_=CIPHER + '; hp-legacy-display="1"')
    opened = open_letter(headers(*OUTER) + encrypted(alice.encrypt(text, desk.public)), desk.keyring)
    assert opened.text == "The words"
    copy = entity("Subject: inner", type_='text/rfc822-headers; protected-headers="v1"')
    for root in ('multipart/mixed; protected-headers="v1"', "multipart/mixed"):
        draft = multipart(root, copy, entity("The words"))
        opened = open_letter(headers(*OUTER) + encrypted(alice.encrypt(draft, desk.public)), desk.keyring)
        assert (opened.text, opened.attachments) == ("The words", ())


def test_the_copy_of_headers_in_html_is_hidden_and_only_there(desk: Desk, alice: Person) -> None:
    page = '<body><div class="header-protection-legacy-display"><pre>Subject: inner</pre></div><p>Words</p>'
    html = entity(page, type_='text/html; charset=utf-8; hp="cipher"; hp-legacy-display="1"')
    opened = open_letter(headers(*OUTER) + encrypted(alice.encrypt(html, desk.public)), desk.keyring)
    assert opened.text == "Words"
    shown = open_letter(headers(*OUTER) + html, desk.keyring)
    assert "inner" in shown.text


def test_a_part_that_is_marked_as_a_copy_of_headers_and_holds_words_is_shown(
    desk: Desk, alice: Person
) -> None:
    for words, shown in (
        ("Subject: x\nFrom: a@b.example", "x"),
        ("Subject: x\nPay me.", "Subject: x\nPay me.\n\nx"),
    ):
        inside = multipart('multipart/mixed; protected-headers="v1"', entity(words, type_=DRAFT), entity("x"))
        raw = headers(*OUTER) + encrypted(alice.encrypt(inside, desk.public))
        assert open_letter(raw, desk.keyring).text == shown


def test_a_copy_of_headers_is_shown_where_nothing_is_protected(desk: Desk) -> None:
    text = entity("Subject: inner\n\nThe words", type_=CIPHER + '; hp-legacy-display="1"')
    assert "inner" in open_letter(headers(*OUTER) + text, desk.keyring).text


def test_what_the_sender_put_outside_on_purpose_is_no_difference(desk: Desk, alice: Person) -> None:
    told = ("HP-Outer: Subject: ...", "HP-Outer: Date: Thu, 1 Jan 2026 00:00:00 +0000")
    inside = entity("x", "Subject: inner", "Date: Thu, 1 Jan 2026 09:41:07 +0000", *told, type_=CIPHER)
    letter = encrypted(alice.encrypt(inside, desk.public))
    date = "Date: Thu, 1 Jan 2026 00:00:00 +0000"
    found = open_letter(headers(*OUTER, date) + letter, desk.keyring).headers
    assert (found.subject, found.mismatch) == ("inner", ())
    changed = headers("alice@user.example", "[list] ...", "Date: Fri, 2 Jan 2026 00:00:00 +0000") + letter
    assert open_letter(changed, desk.keyring).headers.mismatch == ("Date", "Subject")


@pytest.mark.parametrize(
    ("outside", "mismatch"),
    [
        *((each, ()) for each in ("...", "[...]", "Re: ...", "[list] ...", "Encrypted Message", "")),
        *(
            (each, ())
            for each in ("Verschlüsselte Nachricht", "Message chiffré", "p≡p", "Hello", "Subject Unavailable")
        ),
        *((each, ("Subject",)) for each in ("Cheap pills", "[list] Hello", "Help")),
    ],
)
def test_a_subject_that_was_hidden_outside_is_no_difference_and_another_one_is(
    desk: Desk, alice: Person, outside: str, mismatch: tuple[str, ...]
) -> None:
    sealed = encrypted(alice.encrypt(entity("x", "Subject: Hello", type_=DRAFT), desk.public))
    found = open_letter(headers("alice@user.example", outside) + sealed, desk.keyring).headers
    assert (found.subject, found.outer_subject, found.mismatch) == ("Hello", outside, mismatch)


def test_one_moment_written_in_two_ways_is_one_date(desk: Desk, alice: Person) -> None:
    for date, mismatch in (("09:41:07 +0100", ()), ("09:41:08 +0100", ("Date",)), ("noon", ("Date",))):
        inside = entity("x", f"Date: Thu, 1 Jan 2026 {date}", type_=DRAFT)
        sealed = encrypted(alice.encrypt(inside, desk.public))
        raw = headers(*OUTER, "Date: Thu, 1 Jan 2026 08:41:07 GMT") + sealed
        assert open_letter(raw, desk.keyring).headers.mismatch == mismatch


def test_a_disguised_sender_is_told_whatever_hp_outer_says(desk: Desk, alice: Person) -> None:
    inside = entity("x", "From: alice@user.example", "HP-Outer: From: mallory@user.example", type_=CIPHER)
    raw = headers("mallory@user.example") + encrypted(alice.encrypt(inside, desk.public))
    found = open_letter(raw, desk.keyring).headers
    assert (found.sender, found.mismatch) == ("mallory@user.example", ("From",))


def test_a_changed_subject_of_a_signed_letter_is_told(desk: Desk, alice: Person) -> None:
    content = entity("x", "Subject: really", "From: alice@user.example", type_=CLEAR)
    raw = headers("alice@user.example", "faked") + signed(alice, content)
    assert open_letter(raw, desk.keyring, signers=[alice.public]).headers.mismatch == ("Subject",)


def test_a_signer_whose_sender_is_not_among_the_protected_headers_is_still_known(
    desk: Desk, alice: Person
) -> None:
    inside = entity("x", "Subject: inner", type_=DRAFT)
    raw = headers(*OUTER) + encrypted(alice.encrypt(inside, desk.public, "--sign"))
    opened = open_letter(raw, desk.keyring, signers=[alice.public])
    assert [one.state for one in opened.signatures] == [SignatureState.GOOD]
    assert (opened.headers.subject, opened.headers.sender) == ("inner", "alice@user.example")


@pytest.mark.parametrize(
    ("type_", "sender", "subject", "text"),
    [
        ("message/rfc822", "alice@user.example", "inner", "wrapped"),
        ("message/rfc822; forwarded=no", "other@user.example", "inner", "wrapped"),
        ("message/rfc822", "other@user.example", "...", ""),
    ],
)
def test_a_wrapped_message_protects_its_headers(
    desk: Desk, alice: Person, type_: str, sender: str, subject: str, text: str
) -> None:
    message = f"From: {sender}\nSubject: inner\nIn-Reply-To: <t@desk.example>\n\nwrapped"
    raw = headers(*OUTER) + encrypted(alice.encrypt(entity(message, type_=type_), desk.public))
    opened = open_letter(raw, desk.keyring)
    assert (opened.headers.subject, opened.text) == (subject, text)
    assert opened.headers.in_reply_to == (("<t@desk.example>",) if text else ())
    assert [one.type for one in opened.attachments] == ([] if text else ["message/rfc822"])


def test_a_forwarded_message_without_protection_wraps_nothing(desk: Desk) -> None:
    message = entity("From: alice@user.example\nSubject: inner\n\nx", type_="message/rfc822; forwarded=no")
    opened = open_letter(headers(*OUTER) + message, desk.keyring)
    assert (opened.headers.subject, opened.headers.protected) == ("...", False)


@pytest.mark.parametrize("is_bad", [False, True])
def test_what_is_encrypted_protects_headers_whatever_the_signature_in_it_is_worth(
    desk: Desk, alice: Person, *, is_bad: bool
) -> None:
    inside = signed(alice, entity("x", "Subject: inner", "From: boss@desk.example", type_=DRAFT))
    inside = inside.replace(b"\r\n\r\nx", b"\r\n\r\ny") if is_bad else inside
    raw = headers(*OUTER) + encrypted(alice.encrypt(inside, desk.public))
    opened = open_letter(raw, desk.keyring, signers=[alice.public] if is_bad else [])
    state = SignatureState.BAD if is_bad else SignatureState.UNKNOWN_KEY
    assert [one.state for one in opened.signatures] == [state]
    assert (opened.headers.subject, opened.headers.protected) == ("inner", True)
    assert (opened.headers.sender, opened.headers.mismatch) == ("alice@user.example", ("From",))


def test_a_wrapped_message_may_be_signed_itself(desk: Desk, alice: Person) -> None:
    wrap = (
        entity("From: alice@user.example", type_="message/rfc822; forwarded=no") + b"\r\nSubject: inner\r\n"
    )
    raw = headers(*OUTER) + encrypted(alice.encrypt(wrap + signed(alice, entity("words")), desk.public))
    opened = open_letter(raw, desk.keyring, signers=[alice.public])
    assert [(one.state, one.covers) for one in opened.signatures] == [(SignatureState.GOOD, "all")]
    assert (opened.headers.subject, opened.text, opened.attachments) == ("inner", "words", ())


def test_headers_of_a_wrapped_message_under_a_bad_signature_are_not_protected_by_a_good_one_in_it(
    desk: Desk, alice: Person
) -> None:
    wrap = (
        entity("From: alice@user.example", type_="message/rfc822; forwarded=no") + b"\r\nSubject: inner\r\n"
    )
    good = wrap + signed(alice, entity("words"), boundary="=-inside")
    raw = headers(*OUTER) + signed(alice, good).replace(b"Subject: inner", b"Subject: evil")
    opened = open_letter(raw, desk.keyring, signers=[alice.public])
    assert opened.signatures[0].state is SignatureState.BAD
    assert (opened.headers.subject, opened.headers.protected) == ("...", False)


def test_messages_wrapped_in_each_other_end_somewhere(desk: Desk, alice: Person) -> None:
    wrap = entity("From: alice@user.example", type_="message/rfc822; forwarded=no") + b"\r\n"
    raw = headers(*OUTER) + encrypted(alice.encrypt(wrap * 3000 + entity("words"), desk.public))
    opened = open_letter(raw, desk.keyring)
    assert [one.type for one in opened.attachments] == ["message/rfc822"]


def test_what_was_encrypted_without_a_field_of_mime_is_all_text(desk: Desk, alice: Person) -> None:
    for words in (
        "Note: this is urgent\nThe disk is full",
        "Hello: you\n\nThe disk",
        "\nThe disk",
        "The disk",
    ):
        raw = headers(*OUTER) + encrypted(alice.encrypt(words.encode(), desk.public))
        opened = open_letter(raw, desk.keyring)
        assert (opened.text, opened.headers.protected) == (words.removeprefix("\n"), False)


def test_what_a_program_marked_inside_the_encryption_counts(desk: Desk, alice: Person) -> None:
    marks = {
        "Auto-Submitted: auto-replied": Automatic.AUTO_REPLY,
        "Precedence: auto_reply": Automatic.AUTO_REPLY,
        "Precedence: list": Automatic.LIST,
        "List-Id: <tails.example>": Automatic.LIST,
        "X-Autoreply: yes": Automatic.AUTO_REPLY,
    }
    for mark, why in marks.items():
        opened = open_letter(
            headers(*OUTER) + encrypted(alice.encrypt(entity("x", mark), desk.public)), desk.keyring
        )
        assert (opened.automatic, opened.is_unanswerable) == (why, True), mark


@pytest.mark.parametrize(
    ("kind", "why"),
    [("disposition-notification", Automatic.AUTO_REPLY), ("delivery-status", Automatic.BOUNCE)],
)
def test_so_does_a_report_inside(desk: Desk, alice: Person, kind: str, why: Automatic) -> None:
    report = multipart(
        f"multipart/report; report-type={kind}", entity("read"), entity("x", type_=f"message/{kind}")
    )
    opened = open_letter(headers(*OUTER) + encrypted(alice.encrypt(report, desk.public)), desk.keyring)
    assert opened.automatic is why


def test_the_message_id_inside_is_kept_beside_the_outer_one(desk: Desk, alice: Person) -> None:
    inside = entity("x", "Message-ID: <inner@user.example>", type_=CIPHER)
    found = open_letter(headers(*OUTER) + encrypted(alice.encrypt(inside, desk.public)), desk.keyring).headers
    assert (found.message_id, found.inner_message_id) == ("<m1@user.example>", "<inner@user.example>")
