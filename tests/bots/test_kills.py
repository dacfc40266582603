"""Processes that step bots, killed at random moments: nothing is lost and nothing done twice."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections

from bots.manager import BotManager
from bots.models import Bot
from tests.bots.stories import Story
from tests.patience import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = 100


@contextmanager
def worker(market: Any) -> Iterator[int]:
    """Run a process that steps the bots of a market again and again; kill it in the end.

    The block begins when the process has a session and nothing to do but to step. Gives the pipe
    by which it says that a step is done.
    """
    connections.close_all()
    told, tells = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            connection.ensure_connection()
            while os.write(tells, b"."):
                BotManager().step(market.pk)
        finally:
            os._exit(1)
    os.close(tells)
    try:
        # It ends without a word when the process could not begin.
        assert os.read(told, 1)
        yield told
    finally:
        os.close(told)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def told(symbol: str, step: Any) -> dict[str, Any]:
    story = Story(symbol, step)
    story.tell()
    return story.left()


def settled(market: Any) -> None:
    BotManager().step(market.pk)


def test_workers_killed_at_random_moments_leave_what_an_undisturbed_one_leaves(pytestconfig):
    others, took_s = sessions(), list[float]()

    def timed(market):
        with worker(market) as steps:
            began = time.monotonic()
            assert os.read(steps, 1)
            took_s.append(time.monotonic() - began)
        wait_for_sessions(others)

    expected = told("A0-USDT", timed)
    # Some come far and some do not, however busy the machine is.
    mean_s = sum(took_s) / len(took_s)
    kills = pytestconfig.getoption("--runs") or KILLS
    dice, done, by_killed, by_others = random.Random(11), 0, 0, 0

    def killed_now_and_then(market):
        nonlocal done, by_killed, by_others
        before = places(market)
        while done < kills and dice.random() < 0.5:
            with worker(market):
                time.sleep(dice.expovariate(1 / mean_s))
            done += 1
        # Its locks go with its session, which the server ends when it notices.
        wait_for_sessions(others)
        after = places(market)
        settled(market)
        by_killed += after != before
        by_others += places(market) != after

    tellings = 0
    while done < kills:
        tellings += 1
        assert told(f"K{tellings}-USDT", killed_now_and_then) == expected
    assert by_killed > 0, "some came far enough to do something"
    assert by_others > 0, "some left something to be done"


def places(market: Any) -> list[Any]:
    """Return where the bots of a market stand."""
    bots = Bot.objects.filter(instrument=market).order_by("pk")
    return list(bots.values_list("state", "cursor", "phase"))


def sessions() -> set[int]:
    """Return the sessions beside this one's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select pid from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        return {pid for (pid,) in cursor.fetchall()}


def wait_for_sessions(others: set[int]) -> None:
    """Wait until the sessions of killed processes are gone, all but `others`."""
    until(lambda: not sessions() - others, "sessions of killed processes")
