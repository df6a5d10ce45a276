# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whose words are whose in a letter: quotes and signatures of mail programs in many languages."""

import json
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.letters.quoted_text import Folded, PieceKind, fold, own_words, split

ATTRIBUTIONS = {
    "ar, Gmail": "في الثلاثاء، 3 نوفمبر 2026 في 10:00 ص تمت كتابة ما يلي بواسطة Help <help@desk.example>:",
    "bg, Thunderbird": "На 3.11.2026 г. в 10:00 ч., Help написа:",
    "ca, Gmail": "Missatge de Help <help@desk.example> del dia dt., 3 de nov. 2026 a les 10:00:",
    "cs, Thunderbird": "Dne 03. 11. 26 v 10:00 Help <help@desk.example> napsal(a):",
    "cs, Apple": "Dne 3. 11. 2026 v 10:00, Help <help@desk.example>:",
    "da, Gmail": "Den tir. 3. nov. 2026 kl. 10.00 skrev Help <help@desk.example>:",
    "de, Gmail": "Am Di., 3. Nov. 2026 um 10:00 Uhr schrieb Help <help@desk.example>:",
    "de, Thunderbird": "Am 03.11.26 um 10:00 schrieb Help:",
    "de, Yahoo": "Am Dienstag, 3. November 2026 um 10:00:00 hat Help <a@b.example> Folgendes geschrieben:",
    "el, Gmail": "Στις Τρί 3 Νοε 2026 στις 10:00 π.μ., ο χρήστης Help <help@desk.example> έγραψε:",
    "en, Gmail": "On Tue, Nov 3, 2026 at 10:00 AM Help <help@desk.example> wrote:",
    "en, Gmail, wrapped": "On Tue, Nov 3, 2026 at 10:00 AM A Very Long Name\n<help@desk.example> wrote:",
    "en, Thunderbird": "On 11/3/26 10:00, Help wrote:",
    "en, Yahoo": "On Tuesday, November 3, 2026 at 10:00:00 AM GMT+1, Help <help@desk.example> wrote:",
    "es, Gmail": "El mar, 3 nov 2026 a las 10:00, Help (<help@desk.example>) escribió:",
    "et, Gmail": "Kuupäev T, 3. november 2026 kell 10:00 kirjutas Help <help@desk.example>:",
    "fa, Gmail": "در تاریخ سه‌شنبه ۳ نوامبر ۲۰۲۶، ۱۰:۰۰ Help <help@desk.example> نوشت:",
    "fi, Gmail": "ti 3. marrask. 2026 klo 10.00 Help (help@desk.example) kirjoitti:",
    "fr, Gmail": "Le mar. 3 nov. 2026 à 10:00, Help <help@desk.example> a écrit :",
    "fr, Thunderbird": "Le 03/11/2026 à 10:00, Help a écrit\xa0:",
    "he, Gmail": "בתאריך יום ג׳, 3 בנוב׳ 2026 ב-10:00 מאת Help <help@desk.example>:",
    "hu, Gmail": "Help <help@desk.example> ezt írta (időpont: 2026. nov. 3., K, 10:00):",
    "id, Gmail": "Pada tanggal Sel, 3 Nov 2026 pukul 10.00 Help <help@desk.example> menulis:",
    "it, Gmail": "Il giorno mar 3 nov 2026 alle ore 10:00 Help <help@desk.example> ha scritto:",
    "ja, Apple": "2026/11/03 10:00、Help <help@desk.example>のメール:",
    "ja, Gmail": "2026年11月3日(火) 10:00 Help <help@desk.example>:",
    "ko, Gmail": "2026년 11월 3일 (화) 오전 10:00, Help <help@desk.example>님이 작성:",
    "nb, Gmail": "tir. 3. nov. 2026 kl. 10:00 skrev Help <help@desk.example>:",
    "nl, Gmail": "Op di 3 nov 2026 om 10:00 schreef Help <help@desk.example>:",
    "nl, Apple": "Op 3 nov. 2026 om 10:00 heeft Help <help@desk.example> het volgende geschreven:",
    "pl, Gmail": "wt., 3 lis 2026 o 10:00 Help <help@desk.example> napisał(a):",
    "pl, Thunderbird": "W dniu 3.11.2026 o 10:00, Help pisze:",
    "pt, Gmail": "Em ter., 3 de nov. de 2026 às 10:00, Help <help@desk.example> escreveu:",
    "ro, Gmail": "În mar., 3 nov. 2026 la 10:00, Help <help@desk.example> a scris:",
    "ru, Gmail": "вт, 3 нояб. 2026 г. в 10:00, Help <help@desk.example>:",
    "ru, Thunderbird": "03.11.2026 10:00, Help пишет:",
    "sk, Gmail": "ut 3. 11. 2026 o 10:00 Help <help@desk.example> napísal(a):",
    "sv, Gmail": "Den tis 3 nov. 2026 kl 10:00 skrev Help <help@desk.example>:",
    "th, Gmail": "ในวันที่ อ. 3 พ.ย. 2026 เวลา 10:00 Help <help@desk.example> เขียนว่า:",
    "tr, Gmail": "Help <help@desk.example>, 3 Kas 2026 Sal, 10:00 tarihinde şunu yazdı:",
    "uk, Gmail": "вт, 3 лист. 2026 р. о 10:00 Help <help@desk.example> пише:",
    "vi, Gmail": "Vào Th 3, 3 thg 11, 2026 vào lúc 10:00 Help <help@desk.example> đã viết:",
    "zh, Gmail": "Help <help@desk.example> 于2026年11月3日周二 10:00写道：",
    "zh-TW, Gmail": "Help <help@desk.example> 於 2026年11月3日 週二 上午10:00寫道：",
}


@pytest.mark.parametrize("program", ATTRIBUTIONS)
def test_an_attribution_is_folded_with_what_it_quotes(program: str) -> None:
    quoted = len(ATTRIBUTIONS[program].split("\n")) + 3
    text = f"It works now.\n\n{ATTRIBUTIONS[program]}\n\n> Hello,\n> did it help?\n>\n> Desk\n"
    assert fold(text) == Folded(f"It works now.\n\n[{quoted + 1} quoted lines]", quoted + 1)


@pytest.mark.parametrize("program", [name for name, line in ATTRIBUTIONS.items() if "@" in line])
def test_an_attribution_needs_no_marks_below_it(program: str) -> None:
    text = f"It works now.\n{ATTRIBUTIONS[program]}\n\nHello,\ndid it help?"
    assert own_words(text) == "It works now.\n"


HEADERS = {
    "ar": "من: Help <help@desk.example>\nتاريخ الإرسال: 3\nإلى: Ana\nالموضوع: WiFi",
    "cs": "Od: Help <help@desk.example>\nOdesláno: úterý\nKomu: Ana\nPředmět: WiFi",
    "da": "Fra: Help <help@desk.example>\nSendt: tirsdag\nTil: Ana\nEmne: WiFi",
    "de": "Von: Help <help@desk.example>\nGesendet: Dienstag, 3. November 2026 10:00\nAn: Ana\nBetreff: WiFi",
    "el": "Από: Help <help@desk.example>\nΣτάλθηκε: Τρίτη\nΠρος: Ana\nΘέμα: WiFi",
    "en": "From: Help <help@desk.example>\nSent: Tuesday, November 3, 2026 10:00\nTo: Ana\nSubject: WiFi",
    "en, bold": "*From:* Help <help@desk.example>\n*Sent:* Tuesday\n*To:* Ana\n*Subject:* WiFi",
    "es": "De: Help <help@desk.example>\nEnviado el: martes\nPara: Ana\nAsunto: WiFi",
    "fa": "از: Help <help@desk.example>\nارسال: ۳\nبه: Ana\nموضوع: WiFi",
    "fi": "Lähettäjä: Help <help@desk.example>\nLähetetty: tiistai\nVastaanottaja: Ana\nAihe: WiFi",
    "fr": "De : Help <help@desk.example>\nEnvoyé : mardi 3 novembre 2026 10:00\nÀ : Ana\nObjet : WiFi",
    "he": "מאת: Help <help@desk.example>\nנשלח: יום ג\nאל: Ana\nנושא: WiFi",
    "hu": "Feladó: Help <help@desk.example>\nElküldve: kedd\nCímzett: Ana\nTárgy: WiFi",
    "id": "Dari: Help <help@desk.example>\nDikirim: Selasa\nKepada: Ana\nSubjek: WiFi",
    "it": "Da: Help <help@desk.example>\nInviato: martedì\nA: Ana\nOggetto: WiFi",
    "ja": "差出人: Help <help@desk.example>\n送信日時: 2026年11月3日\n宛先: Ana\n件名: WiFi",
    "ko": "보낸 사람: Help <help@desk.example>\n보낸 날짜: 3일\n받는 사람: Ana\n제목: WiFi",
    "nl": "Van: Help <help@desk.example>\nVerzonden: dinsdag\nAan: Ana\nOnderwerp: WiFi",
    "pl": "Od: Help <help@desk.example>\nWysłano: wtorek\nDo: Ana\nTemat: WiFi",
    "pt": "De: Help <help@desk.example>\nEnviado: terça-feira\nPara: Ana\nAssunto: WiFi",
    "ro": "De la: Help <help@desk.example>\nTrimis: marți\nCătre: Ana\nSubiect: WiFi",
    "ru": "От: Help <help@desk.example>\nОтправлено: вторник\nКому: Ana\nТема: WiFi",
    "sk": "Od: Help <help@desk.example>\nOdoslané: utorok\nKomu: Ana\nPredmet: WiFi",
    "sv": "Från: Help <help@desk.example>\nSkickat: tisdag\nTill: Ana\nÄmne: WiFi",
    "tr": "Kimden: Help <help@desk.example>\nGönderildi: Salı\nKime: Ana\nKonu: WiFi",
    "uk": "Від: Help <help@desk.example>\nНадіслано: вівторок\nКому: Ana\nТема: WiFi",
    "vi": "Từ: Help <help@desk.example>\nĐã gửi: Thứ Ba\nTới: Ana\nChủ đề: WiFi",
    "zh": "发件人: Help <help@desk.example>\n发送时间: 2026年11月3日\n收件人: Ana\n主题: WiFi",
    "zh-TW": "寄件者：Help <help@desk.example>\n寄件日期：2026年11月3日\n收件者：Ana\n主旨：WiFi",
}


@pytest.mark.parametrize("language", HEADERS)
def test_what_outlook_quotes_below_a_block_of_headers_is_folded(language: str) -> None:
    text = f"It works now.\n\n________________________________\n{HEADERS[language]}\n\nHello,\ndid it help?\n"
    assert fold(text) == Folded("It works now.\n\n[7 quoted lines]", 7)


@pytest.mark.parametrize(
    "mark",
    [
        "-----Original Message-----",
        "-----Ursprüngliche Nachricht-----",
        "-----Message d'origine-----",
        "-----Mensaje original-----",
        "-----Messaggio originale-----",
        "-----Oryginalna wiadomość-----",
        "-----Исходное сообщение-----",
        "------------------ 原始邮件 ------------------",
        "-----元のメッセージ-----",
        "-----הודעה מקורית-----",
    ],
)
def test_what_stands_below_original_message_is_folded(mark: str) -> None:
    assert fold(f"Thanks\n\n{mark}\nHello\n") == Folded("Thanks\n\n[2 quoted lines]", 2)


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "Get Outlook for Android",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Enviado do meu iPhone",
        "Inviato da iPhone",
        "Verstuurd vanaf mijn iPhone",
        "Skickat från min iPhone",
        "Sendt fra min iPhone",
        "Lähetetty iPhonesta",
        "Wysłane z iPhone'a",
        "Odesláno z iPhonu",
        "Trimis de pe iPhone-ul meu",
        "Отправлено с iPhone",
        "Надіслано з iPhone",
        "Στάλθηκε από το iPhone μου",
        "iPhone'umdan gönderildi",
        "iPhoneから送信",
        "나의 iPhone에서 보냄",
        "发自我的iPhone",
        "Dikirim dari iPhone saya",
        "Đã gửi từ iPhone của tôi",
        "נשלח מה-iPhone שלי",
        "ارسال از iPhone من",
    ],
)
def test_the_line_with_which_a_telephone_signs_is_a_signature(line: str) -> None:
    assert fold(f"It works.\n\n{line}\n\n> Hello\n") == Folded(
        "It works.\n\n[1 line of signature]\n\n[1 quoted line]", 1, 1
    )
    assert own_words(f"It works.\n\n{line}") == "It works.\n\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hello.\n-- \nAna\nThe Organisation\n", "Hello.\n[3 lines of signature]"),
        ("Hello.\n--\nAna\n\n> one\n> two\n", "Hello.\n[2 lines of signature]\n\n[2 quoted lines]"),
        # What is answered below stays in sight, as short as it is.
        ("> Which version?\n\n6.9\n\n> Which PC?\nA X230", "> Which version?\n\n6.9\n\n> Which PC?\nA X230"),
        ("> 1\n> 2\n> 3\n> 4\nYes, all.", "[4 quoted lines]\nYes, all."),
        ("On 3.11.2026 10:00, Help wrote:\n> a\n> b\nYes.", "[3 quoted lines]\nYes."),
        # Nothing but quoted words: then these are what there is to read.
        ("> Hello\n> World", "> Hello\n> World"),
        ("", ""),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert fold(text).text == shown


@pytest.mark.parametrize(
    "text",
    [
        "I tried at 10:00 and my colleague wrote this error:\nE: no such file",
        "On 3.11.2026 I wrote to you and you said:",
        "My settings are\nFrom: me\nand then it fails",
        "What I did:\n1. started it\n2. it wrote 10:20 to the log:\nfailed",
        "--\n" + "not a signature\n" * 40,
        "---------- Forwarded message ---------\nFrom: A <a@b>\nDate: x\nTo: y\n\n> Hello\n> you\n",
        "Please see:\n\nBegin forwarded message:\n\n> From: A <a@b>\n> Subject: x\n>\n> Hello\n",
        "See below.\n-------- Weitergeleitete Nachricht --------\nBetreff: x\nVon: A\nAn: B\n\nHallo",
    ],
)
def test_what_is_the_persons_own_or_forwarded_is_shown(text: str) -> None:
    assert fold(text) == Folded(text)


LINES = st.sampled_from(
    ["Hello", "", ">", "> a", ">> b", "-- ", "--", "From: a", "To: b", "Subject: c", "a@b wrote:", "On 2026"]
    + [
        "-----Original Message-----",
        "---- Forwarded message ----",
        "Sent from my iPhone",
        "____",
        "\xa0",
        ":",
    ]
    + [line for lines in ATTRIBUTIONS.values() for line in lines.split("\n")]
)


@given(st.lists(LINES | st.text(max_size=20), max_size=30))
def test_nothing_is_lost_or_changed(lines: list[str]) -> None:
    text = "\n".join(lines)
    pieces = split(text)
    assert "".join(piece.text for piece in pieces) == text
    assert all(one.kind is not other.kind for one, other in pairwise(pieces))
    folded = fold(text)
    kept = [line for line in folded.text.split("\n") if not line.startswith("[")]
    assert set(kept) - {""} <= set(text.split("\n"))
    assert folded.quoted == 0 or PieceKind.QUOTE in {piece.kind for piece in pieces}


HOSTILE = {
    "on": "On " * 200_000,
    "on lines": "On\n" * 200_000,
    "line ends": "\n" * 1_000_000,
    "attributions": "On Mon 10:00 2026 x <a@b>\nwrote:\n>a\n" * 30_000,
    "colons": ":\n" * 500_000,
    "signatures": "-- \n" * 250_000,
    "headers": "From: x\n" * 120_000,
    "marks": ">" * 1_000_000,
    "telephones": "Sent from my\n>\n" * 60_000,
    "one line": "wrote 10:00 " * 90_000 + ":",
}


def test_a_megabyte_of_anything_is_folded_at_once() -> None:
    code = (
        "import json, sys; from desk.letters.quoted_text import fold; "
        "[fold(text) for text in json.load(sys.stdin)]"
    )
    texts = json.dumps(list(HOSTILE.values()))
    subprocess.run([sys.executable, "-c", code], input=texts, text=True, check=True, timeout=30)
