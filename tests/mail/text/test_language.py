# SPDX-License-Identifier: AGPL-3.0-or-later
"""The language of what a person wrote, and when not to guess."""

import subprocess
import sys

import pytest

from mail.text.language import detect

SENTENCES = {
    "ar": "مرحبا، لا يعمل الواي فاي منذ التحديث الأخير",
    "de": "Guten Tag, seit dem letzten Update geht mein WLAN nicht mehr.",
    "en": "Hello, since the last upgrade my Wi-Fi does not work anymore.",
    "es": "Hola, desde la última actualización mi wifi ya no funciona.",
    "fa": "سلام، بعد از به‌روزرسانی وای‌فای من کار نمی‌کند",
    "fr": "Bonjour, depuis la dernière mise à jour, mon wifi ne marche plus.",
    "id": "Halo, sejak pembaruan terakhir wifi saya tidak bisa tersambung.",
    "it": "Buongiorno, dopo l'ultimo aggiornamento il wifi non funziona più.",
    "ja": "こんにちは。更新してからWi-Fiにつながりません。",
    "ko": "안녕하세요, 업데이트한 뒤로 와이파이가 연결되지 않습니다.",
    "nl": "Hallo, sinds de laatste update werkt mijn wifi niet meer.",
    "pl": "Dzień dobry, od ostatniej aktualizacji nie działa mi wifi.",
    "pt": "Olá, desde a última atualização o meu wifi não funciona.",
    "ru": "Здравствуйте, после обновления у меня не работает вай-фай.",
    "tr": "Merhaba, son güncellemeden sonra wifi çalışmıyor.",
    "uk": "Добрий день, після оновлення не працює вай-фай.",
    "vi": "Xin chào, sau bản cập nhật wifi của tôi không hoạt động.",
    "zh": "你好，更新之后我的无线网络无法连接。",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_is_enough(code: str) -> None:
    found = detect(SENTENCES[code])
    assert found is not None
    assert found.code == code
    assert 0.5 < found.confidence <= 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hi",
        "ok?",
        "....",
        "12345 67890",
        "Tails Tor Browser",
        "https://tails.example/un/deux/trois/quatre/cinq",
        "> Bonjour, depuis la dernière mise à jour, mon wifi ne marche plus.",
        "-----BEGIN PGP MESSAGE-----\n" + "bonjour depuis la mise\n" * 9,
        "Nov 14 10:03:57 amnesia kernel[12]: iwlwifi firmware failed to load",
        "\ud800" * 30,
    ],
)
def test_too_few_words_give_no_language(text: str) -> None:
    assert detect(text) is None


def test_noise_around_the_words_does_not_count() -> None:
    quoted = "> The quick brown fox jumps over the lazy dog and the other foxes too.\n" * 20
    found = detect(quoted + "https://the.quick.example/brown/fox\n" + SENTENCES["fr"] + "\n-- \na@b.example")
    assert found is not None
    assert found.code == "fr"


def test_words_in_capitals_are_recognised() -> None:
    found = detect(SENTENCES["en"].upper())
    assert found is not None
    assert found.code == "en"


def test_nothing_that_could_download_is_even_loaded() -> None:
    program = (
        "import sys; from mail.text.language import detect; "
        "assert detect('Hello, my Wi-Fi does not work at all');"
        "sys.exit(bool({'requests', 'urllib3', 'robust_downloader', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
