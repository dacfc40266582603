"""A machine that stands still fails no test; what hangs, and what is slow, does."""

from __future__ import annotations

import time

import pytest

from tests import patience
from tests.patience import Patience, becomes, steadily, steadily_awaited, until


def test_of_a_standstill_half_a_second_counts(monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: now_s[0])
    waiting = Patience(2.0)
    for later_s, is_over in (
        (100.0, False),
        (0.4, False),
        (50.0, False),
        (0.5, False),
        (0.2, True),
    ):
        now_s[0] += later_s
        assert waiting.is_over() is is_over, later_s


@pytest.mark.asyncio
async def test_what_never_comes_is_named():
    with pytest.raises(AssertionError, match="waited too long: a bus"):
        until(lambda: False, "a bus", seconds=0.05)
    with pytest.raises(AssertionError, match="waited too long: 7"):
        await becomes(lambda: False, lambda: 7, seconds=0.05)
    until(lambda: True)
    await becomes(lambda: True)


def test_a_failure_on_a_machine_that_goes_on_counts():
    tried = []

    def slow():
        tried.append(1)
        raise AssertionError("too slow")

    with pytest.raises(AssertionError, match="too slow"):
        steadily(slow, 30.0)
    assert len(tried) == 1


@pytest.mark.asyncio
async def test_a_failure_on_a_machine_that_stood_still_does_not_count(monkeypatch):
    monkeypatch.setattr(patience.Witness, "_tick", stand_still)
    tried = []

    def slow_twice():
        tried.append(1)
        assert len(tried) % 3 == 0, "too slow"
        return "done"

    async def slowly():
        return slow_twice()

    assert (steadily(slow_twice, 0.2), len(tried)) == ("done", 3)
    assert (await steadily_awaited(slowly, 0.2), len(tried)) == ("done", 6)
    with pytest.raises(AssertionError, match="too slow"):
        steadily(slow_twice, 0.2, tries=2)


def test_a_witness_tells_how_long_the_machine_stood_still():
    with patience.Witness() as steady:
        time.sleep(0.1)
    assert steady.longest_s < 5.0


def stand_still(witness):
    witness.longest_s = 0.3
