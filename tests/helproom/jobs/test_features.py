# SPDX-License-Identifier: AGPL-3.0-or-later
"""Features are joined; what two of them claim is an error of ours, found before anything runs."""

import pytest

from desk.outbox.outcomes import Delivered, OutboxItem, Outcome
from desk.outbox.posts import FILE, SAY
from helproom.features.feature import Feature, Task, join
from helproom.jobs.schedule import Job


async def carry(_: OutboxItem) -> Outcome:
    return Delivered()


async def work() -> None:
    return None


def test_all_that_features_bring_is_joined_in_order() -> None:
    first = Feature(carriers={SAY: carry}, tasks=(Task("a", work),), jobs=(Job("b", work),))
    joined = join([first, Feature(carriers={FILE: carry}, jobs=(Job("c", work),))])
    assert list(joined.carriers) == [SAY, FILE]
    assert [task.name for task in joined.tasks] == ["a"]
    assert [job.name for job in joined.jobs] == ["b", "c"]


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (Feature(carriers={SAY: carry}), "Twice outbox rows are carried: say"),
        (Feature(jobs=(Job("tick", work),)), "Twice jobs have a name: tick"),
        (Feature(tasks=(Task("run", work),)), "Twice tasks have a name: run"),
    ],
)
def test_what_two_features_claim_is_refused(feature: Feature, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        join([feature, feature])
