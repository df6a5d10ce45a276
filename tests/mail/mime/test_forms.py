# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters whose text comes in several forms: one is shown, and no words of another one are lost."""

import pytest

from desk.letters.opened import EncryptionState, Opened, SignatureState
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, Person, entity, headers, multipart

HTML = "text/html; charset=utf-8"
WORDS = "The network card is not found since the upgrade of last week"


def forms(*parts: bytes) -> bytes:
    return multipart("multipart/alternative", *parts)


def page(words: str) -> bytes:
    return entity(words, type_=HTML)


def opened_by(desk: Desk, letter: bytes, *signers: Person) -> Opened:
    return open_letter(
        headers("alice@user.example") + letter, desk.keyring, signers=[one.public for one in signers]
    )


def test_other_words_of_the_page_beside_an_encrypted_text_are_shown_as_unprotected(
    desk: Desk, alice: Person
) -> None:
    armor = entity(alice.encrypt(b"SECRET", desk.public).decode())
    for other in (page("<p>EVIL</p>"), multipart("multipart/related", page("<p>EVIL</p>"), boundary="=-r")):
        opened = opened_by(desk, forms(armor, other))
        assert (opened.text, opened.unprotected_text) == ("SECRET", "EVIL")
        assert opened.encryption.state is EncryptionState.PARTIAL


def test_other_words_of_the_page_beside_a_signed_text_make_it_partly_signed(
    desk: Desk, alice: Person
) -> None:
    clear = alice.gpg("--armor", "--clearsign", data=b"signed").decode()
    opened = opened_by(desk, forms(entity(clear), page("<p>EVIL</p>")), alice)
    assert (opened.text.strip(), opened.unprotected_text) == ("signed", "EVIL")
    assert [one.state for one in opened.signatures] == [SignatureState.PARTIAL]


def test_a_page_that_is_a_copy_of_a_signed_text_and_its_surroundings_is_left_out(
    desk: Desk, alice: Person
) -> None:
    clear = alice.gpg("--armor", "--clearsign", data=b"signed, at http://x.example/y").decode()
    copy = clear.replace("http://x.example/y", '<a href="http://x.example/y">http://x.example/y</a>')
    copy = "<div>" + copy.replace("\n", "</div>\n<div>") + "</div>"
    opened = opened_by(desk, forms(entity(clear), page(copy)), alice)
    assert (opened.unprotected_text, opened.problems) == ("", ())
    assert [(one.state, one.covers) for one in opened.signatures] == [(SignatureState.GOOD, "all")]


def test_a_second_plain_form_with_other_words_is_shown(desk: Desk) -> None:
    opened = opened_by(desk, forms(entity("one"), entity("another"), entity("ONE\n")))
    assert opened.text == "one\n\nanother"
    assert any("do not say the same" in problem for problem in opened.problems)


def test_a_page_is_shown_beside_a_hint_that_there_is_one(desk: Desk) -> None:
    opened = opened_by(desk, forms(entity("This mail is in HTML."), page(f"<p>{WORDS}</p>")))
    assert opened.text == f"This mail is in HTML.\n\n{WORDS}"
    assert any("do not say the same" in problem for problem in opened.problems)


@pytest.mark.parametrize(
    "copy",
    [
        WORDS.upper(),
        WORDS.replace(" ", "<br>"),
        f"{WORDS}<blockquote>Which of the many cards did you buy, and where have you put it?</blockquote>",
        f'{WORDS} <img alt="Picture of a cat"> <a href="http://tracker.example/abcdef">Our shop</a>',
    ],
)
def test_a_page_that_says_the_same_is_left_out(desk: Desk, copy: str) -> None:
    opened = opened_by(desk, forms(entity(WORDS), page(f"<p>{copy}</p>")))
    assert (opened.text, opened.problems) == (WORDS, ())


@pytest.mark.parametrize("empty", [entity("\n"), page("<p> </p>")])
def test_a_form_without_words_does_not_hide_one_with_some(desk: Desk, empty: bytes) -> None:
    rich = entity("<bold>words</bold>", type_="text/enriched")
    for letter in (forms(rich, empty), forms(empty, rich), forms(page("words"), empty)):
        assert opened_by(desk, letter).text == "words"
