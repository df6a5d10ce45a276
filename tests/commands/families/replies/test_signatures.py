# SPDX-License-Identifier: AGPL-3.0-or-later
"""Below every answer stands a role, in the user's language."""

import pytest

from tests.worlds.desk import ANA, Desk


@pytest.mark.parametrize(
    ("language", "signature"),
    [("fr", "\n\n-- \nHelp desk, à Lyon"), ("de", "\n\n-- \nHelp desk"), ("en", "")],
)
async def test_every_answer_is_signed_by_a_role_in_the_users_language(
    desk: Desk, language: str, signature: str
):
    await desk.ticket(language=language, confidential=language == "de")
    await desk.say("!template add signature fr {role}, à Lyon")
    await desk.say("!template add signature de {role}")
    option = "--plain " if language == "de" else ""
    await desk.say(f"!reply {option}Hello", ticket=1, verified=True)
    said = (await desk.messages(1))[-1].text
    assert said == f"Hello{signature}"
    assert ANA not in said


async def test_a_signature_takes_nothing_from_the_ticket(desk: Desk):
    await desk.ticket(tails_version="6.10")
    await desk.say("!template add signature en {role} {version}")
    assert (await desk.say("!reply Hello", ticket=1)).startswith(
        "The template “signature” has a variable that nothing fills: version."
    )
