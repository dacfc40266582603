"""The step killed after any of its statements: what is left is what an undisturbed one leaves."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.db import OperationalError, connection, transaction

from bots.manager import BotManager
from bots.models import BotEvent, BotRun, Fill, Order, SeenMinute
from tests.bots.stories import ShortStory, Story

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


class Killed(BaseException):
    """The process is gone; nothing of the project catches this."""


class Executioner:
    """Counts the statements of steps, and ends the process that made the `victim`th one.

    `kept` are those among them that wrote and whose transaction was committed.
    """

    def __init__(self, victim: int = 0) -> None:
        self.victim, self.count, self.kept = victim, 0, 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        with connection.execute_wrapper(self._executed):
            yield

    def _executed(self, execute, statement, params, many, context):
        result = execute(statement, params, many, context)
        self.count += 1
        if not str(statement).lstrip().lower().startswith("select"):
            # At once where there is no transaction; never where it is rolled back.
            transaction.on_commit(self._keep)
        if self.count == self.victim:
            raise Killed
        return result

    def _keep(self) -> None:
        self.kept += 1


def told(symbol: str, step: Callable[[Any], None]) -> dict[str, Any]:
    """Tell the story with steps done in some way, and return what it left."""
    story = Story(symbol, step)
    story.tell()
    return story.left()


def in_peace(market: Any) -> None:
    BotManager().step(market.pk)


def test_steps_killed_after_any_of_their_statements_are_done_once_all_the_same():
    lengths: list[int] = []

    def counted(market):
        executioner = Executioner()
        with executioner.watching():
            BotManager().step(market.pk)
        lengths.append(executioner.count)

    expected = told("A0-USDT", counted)
    assert len(expected["0"]["Order"]) == 5, "the orders of the story"
    dice = random.Random(7)

    def killed_once(market):
        assert not lived(market, Executioner(next(victims)))
        # Whoever comes next does the step again.
        BotManager().step(market.pk)

    for telling in range(1, 4):
        places = [dice.randint(1, length) for length in lengths]
        victims = iter(places)
        assert told(f"A{telling}-USDT", killed_once) == expected, places


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_step_killed_after_each_statement_in_turn_is_done_once():
    killed = 0

    def step(market):
        """Kill the same step after its first statement, its second, and so on to its last."""
        nonlocal killed
        done_again = set()
        with kept_rows() as bring_back:
            BotManager().step(market.pk)
            expected = story.left()
            for victim in itertools.count(1):
                bring_back()
                executioner = Executioner(victim)
                is_through = lived(market, executioner)
                # All that a dead process leaves is what it committed.
                if is_through or executioner.kept not in done_again:
                    done_again.add(executioner.kept)
                    BotManager().step(market.pk)
                    assert story.left() == expected, f"statement {victim} after {killed}"
                if is_through:
                    break
                killed += 1

    story = ShortStory("A0-USDT", step)
    story.tell()
    assert killed > 200
    assert whatever_happened() == {
        *("order target", "order stop_loss", "order command"),
        *("run edited", "run stopped", "run halted"),
        *("dropped paused", "minute -2", "event limit", "event gap"),
    }


def lived(market: Any, executioner: Executioner) -> bool:
    """Step until the process is killed; return whether it came through alive."""
    try:
        with executioner.watching():
            BotManager().step(market.pk)
    except Killed:
        return False
    return True


def whatever_happened() -> set[str]:
    """Return which kinds of things happened in the story."""
    found = {f"order {reason}" for reason in Fill.objects.values_list("reason", flat=True)}
    outcomes = Order.objects.exclude(outcome="").values_list("outcome", flat=True)
    found |= {f"dropped {outcome}" for outcome in outcomes}
    found |= {f"run {end}" for end in BotRun.objects.values_list("end_reason", flat=True)}
    found |= {f"minute {one}" for one in SeenMinute.objects.values_list("revision", flat=True)}
    kinds = BotEvent.objects.exclude(kind__in=("state", "created", "edited"))
    return found | {f"event {kind}" for kind in kinds.values_list("kind", flat=True)}


@contextmanager
def kept_rows() -> Iterator[Callable[[], None]]:
    """Keep all rows of bots as they are; give what brings them back, as often as it is called."""
    tables = [model._meta.db_table for model in apps.get_app_config("bots").get_models()]
    back = [f"delete from {one}; insert into {one} select * from kept_{one}" for one in tables]
    with connection.cursor() as cursor:
        for one in tables:
            cursor.execute(f"create temporary table kept_{one} as table {one}")

        def bring_back() -> None:
            with transaction.atomic():
                # Neither the guards of the ledger nor the order of the tables matter then.
                cursor.execute("set local session_replication_role = replica")
                cursor.execute("; ".join(back))

        yield bring_back
        for one in tables:
            cursor.execute(f"drop table kept_{one}")


class HeardStory(Story):
    """What people do is seen at once: where an order takes effect is an input of the bots."""

    def _acts(self) -> dict[int, Callable[[], Any]]:
        def heard(act: Callable[[], Any]) -> Callable[[], Any]:
            return lambda: (in_peace(self.market), act(), in_peace(self.market))

        return {number: heard(act) for number, act in super()._acts().items()}


def test_messages_doubled_lost_and_late_change_nothing():
    expected = told("A0-USDT", in_peace)
    dice, times = random.Random(3), list[int]()

    def often(market):
        times.append(dice.randrange(3))
        for _ in range(times[-1]):
            BotManager().step(market.pk)

    story = HeardStory("B1-USDT", often)
    story.tell()
    BotManager().step(story.market.pk)
    assert story.left() == expected
    assert {0, 1, 2} == set(times)


def test_workers_at_once_do_each_step_once():
    expected = told("A0-USDT", in_peace)
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
