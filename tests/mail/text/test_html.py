# SPDX-License-Identifier: AGPL-3.0-or-later
"""HTML as plain text: what is quoted, hidden, pictured, linked, and in which charset."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.limits import HTML_CHARS
from mail.mime.content import read_content
from mail.mime.parts import read_parts
from mail.text.html import html_to_text

PAGE = b"Content-Type: text/html%s\r\n\r\n<html><head><meta %s></head><body>%s"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>new</p><blockquote>old</blockquote><p>end", "new\n\n> old\nend"),
        ("<blockquote>a<blockquote>b</blockquote>c</blockquote>", "> a\n>\n>> b\n> c"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"),
        ("<blockquote>&gt; typed</blockquote>", "> > typed"),
        ('<p>shown<span style="display: none">hid</span></p>', "shown"),
        ('<p>shown<span style="color:red;VISIBILITY : hidden">hid</span></p>', "shown"),
        ('<p>shown<span style="mso-hide:all">hid</span><i hidden>hid</i></p>', "shown"),
        ('<p style="display:none-such">shown</p>', "shown"),
        ('<img src="cid:1" alt="A  cat">x<img src="http://t.example/p.gif">', "A catx"),
        ('<a href="http://e.example/x">http://e.example/x</a>', "http://e.example/x"),
        (
            '<a href="http://e.example/x">https://good.example</a>',
            "https://good.example <http://e.example/x>",
        ),
        ('<a href="mailto:a@b.example">a@b.example</a> <a href="#top">up</a>', "a@b.example up"),
        ("<ul><li>a<li>b</ul><pre>x\n  y</pre>", "- a\n- b\n\nx\n  y"),
        ("<table><tr><td>a<td>b</tr><tr><td>c</table>", "a b\nc"),
        ("<div>a</div><div>b</div><div><br></div><div>c</div>", "a\nb\n\nc"),
        ("<title>t</title><style>c</style><body><script>s</script><noscript>n</noscript>x", "x"),
        ("a&#1;b&#2;c<blockquote>&#1;d</blockquote>", None),
    ],
)
def test_a_page_is_laid_out_as_text(page: str, text: str | None) -> None:
    found = html_to_text(page)
    if text is not None:
        assert found == text
    assert not set(found) & set("\x01\x02\x03\x04\x05")


def test_a_page_with_much_around_its_words_is_read_and_one_that_is_too_long_says_so() -> None:
    style = f"<style>{'p { margin: 0 } ' * 40_000}</style>"
    assert html_to_text(f"{style}<p>first</p>{style[:100_000]}</style><p>last") == "first\n\nlast"
    page = f"<p>first{'<i></i>' * (HTML_CHARS // 7)}<p>last"
    found = html_to_text(page)
    assert (found[:5], "last" in found) == ("first", False)
    assert f"longer than {HTML_CHARS // 1024} K characters" in found


@pytest.mark.parametrize(
    ("said", "meta", "words", "text"),
    [
        (b"", b'charset="koi8-r"', "Привет всем".encode("koi8-r"), "Привет всем"),
        (
            b"",
            b'http-equiv="Content-Type" content="text/html; charset=windows-1251"',
            "Привет всем".encode("cp1251"),
            "Привет всем",
        ),
        (b"; charset=utf-8", b'charset="koi8-r"', "Größe".encode(), "Größe"),
        (b"", b'charset="no-such"', "Größe".encode(), "Größe"),
    ],
)
def test_a_page_tells_its_charset_where_the_letter_does_not(
    said: bytes, meta: bytes, words: bytes, text: str
) -> None:
    assert read_content(read_parts(PAGE % (said, meta, words))).text == text


PIECES = st.sampled_from(
    [
        f"<{tag}>"
        for tag in ("blockquote", "pre", "p", "a href='x'", "li", "br", "div", "tr", "td", "img alt='y'")
    ]
    + [f"</{tag}>" for tag in ("blockquote", "pre", "p", "a", "div", "table")]
    + ["<div style='display:none'>", "<table>", "words ", "\n", "&nbsp;", "\x01", "\x05"]
)


@given(st.lists(PIECES, max_size=40))
def test_any_page_gives_lines_without_marks_or_blanks_at_their_ends(pieces: list[str]) -> None:
    text = html_to_text("".join(pieces))
    assert not set(text) & set("\x01\x02\x03\x04\x05")
    assert [line for line in text.split("\n") if line != line.rstrip(" \t")] == []
