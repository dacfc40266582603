"""The step killed after any of its statements: what is left is what an undisturbed one leaves."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection

from bots.manager import BotManager
from tests.bots.stories import Story

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


class Killed(BaseException):
    """The process is gone; nothing of the project catches this."""


class Executioner:
    """Counts the statements of steps, and ends the process that made the `victim`th one."""

    def __init__(self, victim: int = 0) -> None:
        self.victim, self.count = victim, 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        with connection.execute_wrapper(self._executed):
            yield

    def _executed(self, execute, statement, params, many, context):
        result = execute(statement, params, many, context)
        self.count += 1
        if self.count == self.victim:
            raise Killed
        return result


def told(symbol: str, executioner: Executioner) -> dict[str, list[object]]:
    """Tell the story with one step killed; whoever comes next does the step again."""

    def step(market):
        try:
            with executioner.watching():
                BotManager().step(market.pk)
        except Killed:
            BotManager().step(market.pk)

    story = Story(symbol, step)
    story.tell()
    return story.left()


def test_a_step_killed_after_any_statement_is_done_once_all_the_same():
    undisturbed = Executioner()
    expected = told("A0-USDT", undisturbed)
    assert len(expected["0"][3][1]) == 5, "the orders of the story"
    victims = random.Random(7).sample(range(1, undisturbed.count + 1), 12)
    for victim in victims:
        assert told(f"A{victim}-USDT", Executioner(victim)) == expected, victim


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_step_killed_after_each_statement_in_turn_is_done_once():
    undisturbed = Executioner()
    expected = told("A0-USDT", undisturbed)
    for victim in range(1, undisturbed.count + 1):
        assert told(f"A{victim}-USDT", Executioner(victim)) == expected, victim


def test_messages_doubled_lost_and_late_change_nothing():
    expected = told("A0-USDT", Executioner())
    dice = random.Random(3)

    def often(market):
        for _ in range(dice.randrange(3)):
            BotManager().step(market.pk)

    story = Story("B1-USDT", often)
    story.tell()
    BotManager().step(story.market.pk)
    # What is seldom stepped applies orders later: only what does not hang on that is compared.
    assert [row for row in story.left()["2"] if row[0] in ("Fill", "Signal", "BotPerformance")] == [
        row for row in expected["2"] if row[0] in ("Fill", "Signal", "BotPerformance")
    ]


def test_workers_at_once_do_each_step_once():
    expected = told("A0-USDT", Executioner())
    failed: list[BaseException] = []

    def work(market_id):
        try:
            BotManager().step(market_id)
        except OperationalError:
            pass
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    def all_at_once(market):
        workers = [threading.Thread(target=work, args=(market.pk,)) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        # What one found locked by another that had looked too early, the sweep does.
        BotManager().step(market.pk)

    story = Story("C1-USDT", all_at_once)
    story.tell()
    assert failed == []
    assert story.left() == expected
