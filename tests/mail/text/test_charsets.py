# SPDX-License-Identifier: AGPL-3.0-or-later
"""Charsets that lie, and what can be shown of any bytes."""

import unicodedata
from encodings.aliases import aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.text.charsets import decode, guessing_for_one_letter
from mail.text.flowed import unflow
from mail.text.headers import HeaderBlock, safe_header
from mail.text.printable import readable

SENTENCES = {
    "cp1251": "Здравствуйте, после обновления у меня не работает вай-фай.",
    "koi8-r": "Здравствуйте, после обновления у меня не работает вай-фай.",
    "cp1253": "Γεια σας, μετά την ενημέρωση το wifi δεν λειτουργεί.",
    "cp1255": "שלום, מאז העדכון האחרון הרשת לא עובדת.",
    "cp1256": "مرحبا، لا يعمل الواي فاي منذ التحديث الأخير",
    "cp874": "สวัสดีครับ หลังจากอัปเดต wifi ใช้งานไม่ได้",
    "gb18030": "你好，更新之后我的无线网络无法连接。",
    "big5": "你好，更新之後我的無線網路無法連線。",
    "shift_jis": "こんにちは。更新してから接続できません。",
    "euc_jp": "こんにちは。更新してから接続できません。",
    "euc_kr": "안녕하세요, 업데이트한 뒤로 와이파이가 연결되지 않습니다.",
    "cp1250": "Dzień dobry, od ostatniej aktualizacji nie działa mi sieć. Źle, że ąćęł",
    "iso8859-2": "Dobrý den, po poslední aktualizaci mi nefunguje wifi. Děkuji, řešte prosím",
    "cp1252": "Bonjour, depuis la dernière mise à jour, mon wifi ne marche plus.",
    "cp1254": "Merhaba, son güncellemeden sonra kablosuz ağım çalışmıyor, teşekkürler",
}


SUBJECTS = {
    "koi8-r": "Тест тест|Привет мир|Вопрос|Москва - столица России.|Счет-фактура.doc|СРОЧНО! Ответьте",
    "koi8-u": "Не працює інтернет|Рахунок.pdf",
    "cp1251": "тест тест|Вопрос|Не работи|Отчёт за март",
    "cp1253": "Ερώτηση|Αυτόματη απάντηση",
    "cp1255": "שלום|שאלה לגבי הדואר",
    "cp1256": "مرحبا|سؤال عن البريد",
    "cp874": "สวัสดีครับ|ใช้งานไม่ได้",
    "gb18030": "你好|邮件传输失败！|来自qq.com的退信|无法连接网络|测试",
    "big5": "無法連線|如果你想留學的話",
    "cp932": "テスト|お問い合わせの件|東京",
    "euc_jp": "テスト|会議の件について",
    "cp949": "안녕하세요|메일 문의|[삼성생명] 경제뉴스",
    "cp1252": "à bientôt|Grüße|Größe|Réponse",
    "cp1250": "Źle|Dzień dobry, problem z siecią|Hálózati hiba történt",
    "iso8859-2": "Odpowiedź|Žádost|Děkuji, řešte prosím",
    "cp1254": "Teşekkürler|Bağlantı çalışmıyor",
}


@pytest.mark.parametrize(
    ("charset", "words"), [(charset, one) for charset, all_ in SUBJECTS.items() for one in all_.split("|")]
)
def test_a_few_words_tell_their_charset(charset: str, words: str) -> None:
    assert decode(words.encode(charset), "") == (words, True)


@pytest.mark.parametrize("charset", SENTENCES)
@pytest.mark.parametrize("said", ["", "utf-8", "no-such-charset"])
def test_text_in_another_charset_than_is_said_is_read_and_told(charset: str, said: str) -> None:
    assert decode(SENTENCES[charset].encode(charset), said) == (SENTENCES[charset], True)


@pytest.mark.parametrize("charset", SENTENCES)
def test_what_is_said_truly_is_believed(charset: str) -> None:
    assert decode(SENTENCES[charset].encode(charset), charset) == (SENTENCES[charset], False)


@pytest.mark.parametrize(
    ("content", "said", "text", "guessed"),
    [
        ("naïve “x” é".encode(), "iso-8859-1", "naïve “x” é", True),
        ("你好你好".encode(), "gb2312", "你好你好", True),
        ("Привет всем, это письмо".encode("cp1251"), "iso-8859-1", "Привет всем, это письмо", True),
        ("Нет сети".encode("cp1251"), "iso-8859-1", "Нет сети", True),
        ("test äöüßÄÖÜß€".encode("iso8859-15"), "iso-8859-15", "test äöüßÄÖÜß€", False),
        ("Tämä pää määrää: „hääyö“".encode("cp1252"), "iso-8859-1", "Tämä pää määrää: „hääyö“", False),
        (b"\x93quoted\x94 \x80", "iso-8859-1", "“quoted” €", False),
        ("日本".encode("iso-2022-jp"), "us-ascii", "日本", True),
        ("日本".encode("iso-2022-jp"), "iso-2022-jp", "日本", False),
        ("Größe und Übung, cut ".encode() + b"\xc3", "utf-8", "Größe und Übung, cut \ufffd", True),
        (b"\x1b$B-!4A;z\x1b(B (\x1b(IC\x1b(B)", "iso-2022-jp", "①漢字 (ﾃ)", False),
        (b"\x1b$B4A;z", "", "漢字", True),
        (b"\x1b[31mfailed\x1b[0m \x1b$ and on", "", "\x1b[31mfailed\x1b[0m \x1b$ and on", False),
        (b"\x1b$B-!4A;z\x1b(B \x1b[31mred", "iso-2022-jp", "①漢字 \x1b[31mred", False),
        (b"\x1b$B-!4A;z\x1b(B \x1b(Hred", "iso-2022-jp", "①漢字 \x1b(Hred", False),
        (b"\x1b$B-!4A;z !x\x1b(B end", "iso-2022-jp", "①漢字 !x end", False),
        (b"a smart friend\x81 of caf\xe9s", "iso-8859-1", "a smart friend\ufffd of cafés", True),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "iso-8859-1", "café", False),
        ("é".encode("utf-16"), "utf-8", "é", False),
        (b"<p>ascii", "utf-16", "<p>ascii", False),
        ("①".encode("cp932"), "shift_jis", "①", False),
        (b"abc", "idna", "abc", False),
        (b"\xe9", "base64", "é", True),
        (b"", "", "", False),
    ],
)
def test_common_lies(content: bytes, said: str, text: str, *, guessed: bool) -> None:
    assert decode(content, said) == (text, guessed)


@pytest.mark.parametrize("codec", sorted(set(aliases.values())))
def test_whatever_python_can_decode_may_stand_where_a_charset_is_named(codec: str) -> None:
    for content in (b"", b"plain", b"caf\xe9", b"\xff?\x85\x99\xdf", bytes(9)):
        assert isinstance(decode(content, codec)[0], str)


@given(
    st.binary(max_size=200), st.sampled_from(["", "utf-8", "iso-8859-1", "utf-16", "utf-7", "gb2312", "x"])
)
def test_any_bytes_give_text_without_control_or_bidi_characters(content: bytes, charset: str) -> None:
    text = readable(decode(content, charset)[0])
    assert not [sign for sign in text if unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\n\t"]
    assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\ufeff")


@given(st.text(max_size=60))
def test_any_text_is_made_readable_once(text: str) -> None:
    shown = readable(text)
    assert readable(shown) == shown


def test_overrides_are_spelled_out_and_joiners_stay() -> None:
    assert (
        readable("a\u202egnp\u202c می\u200cخواهم\u200f\r\nb\rc\x0bd") == "a<U+202E>gnp می\u200cخواهم\nb\nc\nd"
    )


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("=?utf-8?Q?Gr=C3?=\r\n =?utf-8?Q?=BC=C3=9Fe?=", "Grüße"),
        ("=?utf-8?B?w6Q=?= =?UTF-8?B?w7Y=?=", "äö"),
        ("C:\\users\\u0041 =?utf-8?q?=C3=BC?=", "C:\\users\\u0041 ü"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?gb2312?B?xOO6ww==?=", "你好"),
        ("=?utf-8*en?q?=C3=BC?=", "ü"),
        ("=?utf-8?B?w6Q?=", "ä"),
        ('"=?utf-8?q?a=2C_b?=" <x@y>', '"a, b" <x@y>'),
        ("Größe", "Größe"),
    ],
)
def test_headers_as_mail_programs_write_them(raw: str, shown: str) -> None:
    assert safe_header(raw) == shown


def test_bytes_in_headers_are_in_the_charset_of_the_text() -> None:
    raw = "Subject: Привет мир\r\nContent-Type: text/plain; charset=koi8-r".encode("koi8-r")
    assert HeaderBlock(raw).one("subject") == "Привет мир"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("attachment; filename*0*=UTF-8''%E6%97; filename*1*=%A5; filename*2=\".txt\"", "日.txt"),
        ("attachment; filename=x.txt; filename*=utf-8''y.exe", "y.exe"),
        ("attachment; filename*=nothing", "nothing"),
    ],
)
def test_file_names_of_rfc_2231(value: str, name: str) -> None:
    field = HeaderBlock(f"Content-Disposition: {value}".encode())
    assert field.params("content-disposition")["filename"] == name


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("A long \nline. \nEnd\n", "A long line. End\n"),
        ("> quoted \n> more\nown\n", "> quoted more\nown\n"),
        (">> deep \n> less\n", ">> deep \n> less\n"),
        (" From stuffed\n  two\n", "From stuffed\n two\n"),
        ("Bye \n-- \nAna\n", "Bye \n-- \nAna\n"),
        ("", ""),
    ],
)
def test_flowed_lines_are_joined(text: str, whole: str) -> None:
    assert unflow(text, delete_space=False) == whole


def test_delsp_joins_without_a_blank() -> None:
    assert unflow("日本 \n語\n", delete_space=True) == "日本語\n"


def test_of_one_letter_only_so_many_bytes_are_looked_at_to_guess_charsets() -> None:
    words = "Здравствуйте, не работает сеть. ".encode("koi8-r") * 60
    with guessing_for_one_letter():
        texts = [decode(words)[0] for _ in range(50)]
        assert decode(words, "cp1251")[0] == words.decode("cp1251")
    assert texts[0].startswith("Здравствуйте")
    assert texts[-1] == words.decode("cp1252", "replace")
    # The next letter has patience of its own.
    with guessing_for_one_letter():
        assert decode(words)[0] == texts[0]


def test_nor_are_there_many_guesses_from_short_texts() -> None:
    name = "привет".encode("koi8-r")
    with guessing_for_one_letter():
        names = [decode(name)[0] for _ in range(300)]
    assert names[0] == "привет"
    assert names[-1] == name.decode("cp1252", "replace")


@pytest.mark.parametrize(
    "words",
    [
        "Les touches éèàùç et ÉÈÀÙÇ ne marchent plus.",
        "Touches éèàùç ÉÈÀÙÇ",
        "No puedo escribir ÁÉÍÓÚ áéíóú ni ñÑ con este teclado.",
        "Tasten äöüß ÄÖÜ gehen nicht",
        "As teclas ãõáéíóúâêôç ÃÕÁÉÍÓÚ",
        "éèàùç ÉÈÀÙÇ",
    ],
)
@pytest.mark.parametrize("charset", ["iso-8859-1", "iso-8859-15", "windows-1252", "cp-1252", "latin1"])
def test_a_latin_charset_that_is_said_truly_is_believed(words: str, charset: str) -> None:
    codec = "iso-8859-15" if charset == "iso-8859-15" else "cp1252"
    assert decode(words.encode(codec), charset) == (words, False)


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("cp-1251", "cp1251"),
        ("x-cp1251", "cp1251"),
        ("windows1251", "cp1251"),
        ("win-1251", "cp1251"),
        ("ibm-866", "cp866"),
        ("dos-866", "cp866"),
        ("ibm866", "cp866"),
        ("x-mac-cyrillic", "mac_cyrillic"),
        ("mac-cyrillic", "mac_cyrillic"),
        ("x-koi8-r", "koi8_r"),
        ("cskoi8r", "koi8_r"),
        ("iso88595", "iso8859-5"),
    ],
)
def test_a_charset_is_known_by_what_programs_call_it(label: str, codec: str) -> None:
    words = "Здравствуйте, после обновления не работает сеть."
    assert decode(words.encode(codec), label) == (words, False)


def test_bytes_beyond_ascii_where_ascii_is_said_are_a_guess() -> None:
    words = "Prosím, připojení k síti nefunguje, žádná změna."
    assert decode(words.encode("iso8859-2"), "us-ascii") == (words, True)
    assert decode(words.encode(), "us-ascii") == (words, True)


def test_a_guess_at_a_subject_is_known() -> None:
    guessed = HeaderBlock(b"Subject: =?us-ascii?q?Pros=EDm,_p=F8ipojen=ED?=")
    assert (guessed.one("subject"), guessed.is_guessed("subject")) == ("Prosím, připojení", True)
    assert not HeaderBlock("Subject: Größe".encode()).is_guessed("subject")


def test_a_line_without_a_colon_counts_to_the_field_before() -> None:
    fields = HeaderBlock(b"Subject: Screen stays\r\ndark\r\nFrom: a@b.example\r\n")
    assert (fields.one("subject"), fields.one("from"), fields.has_strays) == (
        "Screen stays dark",
        "a@b.example",
        True,
    )


def test_of_long_references_the_last_count() -> None:
    ids = [f"<{number:05}@user.example>" for number in range(2000)]
    found = HeaderBlock(f"References: {' '.join(ids)}".encode()).message_ids("references")
    assert found[-1] == ids[-1]
    assert ids[0] not in found


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("cp28591", "iso8859-1"),
        ("windows-28592", "iso8859-2"),
        ("8859_1", "iso8859-1"),
        ("ansi", "cp1252"),
        ("x-mac-ce", "mac_latin2"),
        ("x-mac-centraleurroman", "mac_latin2"),
    ],
)
def test_names_that_programs_gave_charsets_of_their_own_are_known(label: str, codec: str) -> None:
    assert decode("šé á".encode(codec, "ignore"), label) == (
        "šé á".encode(codec, "ignore").decode(codec),
        False,
    )
