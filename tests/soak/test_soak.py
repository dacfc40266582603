"""Bots live through hours of a market in which everything goes wrong, and every proof holds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from bots.models import Fill, SeenMinute
from tests.benchmarks.figures import percentile
from tests.chaos.stack import Ground, running_stack
from tests.simulated_exchange import spawned_exchange
from tests.soak.driving import Drive
from tests.soak.judging import findings, held
from tests.soak.scenes import soak_scene

MINUTES, BOTS = 20, 5

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unblocked")]


@pytest.mark.timeout(300)
def test_five_bots_live_through_twenty_minutes_of_faults(
    ground: Ground, soak_seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lived = soak(ground, soak_seed, tmp_path, minutes=MINUTES, bots=BOTS, is_adaptive=False)

    with capsys.disabled():
        print(f"\n{lived.told} ", end="", flush=True)
    assert lived.wrong == [], lived.help
    assert lived.fills >= 2 * BOTS, "too little was traded to prove anything"


@pytest.mark.timeout(0)
def test_bots_live_through_hours_as_fast_as_they_follow(
    pytestconfig: pytest.Config,
    soak_bots: int,
    ground: Ground,
    soak_seed: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    minutes = int(pytestconfig.getoption("--hours") * 60)

    lived = soak(ground, soak_seed, tmp_path, minutes=minutes, bots=soak_bots, is_adaptive=True)

    with capsys.disabled():
        print(f"\n{lived.told} ", end="", flush=True)
    assert lived.wrong == [], lived.help
    assert lived.fills >= 2 * soak_bots, "too little was traded to prove anything"


@dataclass(frozen=True)
class Lived:
    """What became of a soak: what is wrong with it, how much was traded, and how to see more."""

    wrong: list[str]
    fills: int
    told: str
    help: str


def soak(
    ground: Ground, seed: int, folder: Path, *, minutes: int, bots: int, is_adaptive: bool
) -> Lived:
    """Let so many bots live through so many minutes; return what became of it."""
    scene, started = soak_scene(seed, minutes), time.monotonic()
    options = (*scene.options, "--speed", "1", "--hold")
    again = f"again by: ./dev test --soak --hours {minutes / 60:g} --seed {seed}"
    with (
        spawned_exchange(folder, *options) as exchange,
        running_stack(ground, scene.template, exchange) as stack,
    ):
        drive = Drive(stack, scene, seed, is_adaptive)
        try:
            drive.begin(bots)
            drive.go_on()
            drive.end()
        except BaseException as error:
            error.add_note(again)
            raise
        watched = drive.watched
        with stack.as_our_own():
            wrong = [*findings(bots), *held(watched)]
            fills, seen = Fill.objects.count(), SeenMinute.objects.count()
        logs = stack.logs() if wrong else ""
    lags_s = [lag / 1000 for lag in watched.lags_ms]
    told = (
        f"{bots} bots, {minutes} minutes in {time.monotonic() - started:.0f} s: {fills} fills, "
        f"{seen} minutes seen otherwise than at first; speed {percentile(watched.speeds, 50):.0f}, "
        f"lag {percentile(lags_s, 50):.0f} s, p95 {percentile(lags_s, 95):.0f} s of the exchange"
    )
    return Lived(wrong[:20], fills, told, f"{len(wrong)} in all; {again}\n{logs}")
