# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rooms that the settings ask for."""

from bot.rooms.homes import Home
from helproom.config.sections.queues import QueueSection
from helproom.config.settings import Settings


def homes_of(settings: Settings) -> tuple[Home, ...]:
    """Return the operators' room and one for each queue; admins are members of all."""
    admins = settings.operators.admins
    agents = tuple(dict.fromkeys((*settings.agents, *admins)))
    name = settings.operators.room_name
    operators = Home(None, name, admins, settings.operators.room, topic=f"{_FOR_OPERATORS}\n{_VERIFY}")
    return (operators, *(_home_of(queue, settings, agents) for queue in settings.queues))


def _home_of(queue: QueueSection, settings: Settings, agents: tuple[str, ...]) -> Home:
    """Return a queue's room; queues of one role and one language are told apart by their own names."""
    name = f"{queue.role_name} ({queue.language})"
    alike = [each for each in settings.queues if _kind(each) == _kind(queue)]
    if len(alike) > 1:
        name = f"{queue.role_name} ({queue.language}, {queue.name})"
    topic = f"{_FOR_AGENTS.format(language=queue.language)}\n{_VERIFY}"
    old_name = "" if queue.room_name else queue.role_name
    return Home(queue.name, queue.room_name or name, agents, queue.room, topic=topic, old_name=old_name)


def _kind(queue: QueueSection) -> tuple[str, str]:
    return queue.role_name, queue.language


_FOR_OPERATORS = "Here the bot says how it is, and what needs somebody. `!help` lists what it can do."
_FOR_AGENTS = "Tickets in “{language}”, each with a thread of its own. `!help` lists what the bot can do."
_VERIFY = (
    "To read what the bot writes, verify your device: in your client's settings, with your recovery key or "
    "another device of yours."
)
