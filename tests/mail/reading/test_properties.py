# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever shape a letter has, it is opened or refused in words, and what is said of it can be shown.

EXAMPLES=5000 in the environment tries more than the 500 of a usual run.
"""

import json
import os
from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk.letters.opened import EncryptionState, SignatureState, Unopenable
from desk.letters.quoted_text import fold, split
from fuzz.open_keyring import OpenKeyring
from fuzz.seeds import WORDS, armored, letters
from helproom.cli.inspect_mail import describe
from mail.reading.open_letter import open_letter
from tests.mail.people import encrypted, entity, headers, multipart

KEYRING = OpenKeyring()
LETTERS = letters()
EXAMPLES = settings(
    max_examples=int(os.environ.get("EXAMPLES", "500")),
    deadline=None,
    derandomize="EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MULTIPARTS = ("mixed", "alternative", "related", "signed", "encrypted", "report", "digest", "parallel")
SHAPES = st.recursive(
    st.sampled_from(LETTERS) | st.text(max_size=80).map(entity),
    lambda inner: st.one_of(
        st.builds(
            lambda kind, parts, edge: multipart(f"multipart/{kind}", *parts, boundary=f"b{edge}"),
            st.sampled_from(MULTIPARTS),
            st.lists(inner, max_size=4),
            st.integers(0, 9),
        ),
        inner.map(lambda each: encrypted(armored(each))),
        inner.map(lambda each: b"Content-Type: message/rfc822\r\n\r\n" + headers("b@user.example") + each),
    ),
    max_leaves=8,
)


def opened_or_refused(raw: bytes) -> None:
    """Open a letter, and look at what is said of it as its readers do."""
    try:
        opened = open_letter(raw, KEYRING)
    except Unopenable:
        return
    json.dumps(describe(opened)).encode()
    for text in (opened.text, opened.unprotected_text):
        assert "".join(piece.text for piece in split(text)) == text
        assert not [sign for sign in fold(text).text if sign < " " and sign not in "\n\t"]


@EXAMPLES
@given(SHAPES)
def test_a_letter_of_any_shape_is_opened_or_refused(letter: bytes) -> None:
    opened_or_refused(headers("alice@user.example") + letter)


@EXAMPLES
@given(SHAPES, st.data())
def test_a_damaged_letter_is_opened_or_refused(letter: bytes, data: st.DataObject) -> None:
    raw = bytearray(headers("alice@user.example") + letter)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(raw)))
        length = data.draw(st.integers(0, 40))
        raw[at : at + length] = data.draw(st.sampled_from(WORDS)).encode()
    opened_or_refused(bytes(raw))


@EXAMPLES
@given(SHAPES)
def test_words_beside_an_encrypted_part_never_make_a_letter_sound(letter: bytes) -> None:
    beside = multipart("multipart/mixed", entity("beside it"), encrypted(armored(letter)), boundary="=outer")
    with suppress(Unopenable):
        opened = open_letter(headers("alice@user.example") + beside, KEYRING)
        assert opened.encryption.state is not EncryptionState.OK
        assert SignatureState.GOOD not in {signature.state for signature in opened.signatures}
        assert not opened.headers.protected
        assert "beside it" not in opened.text
