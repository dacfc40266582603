"""Nothing is lost or doubled, whatever is killed, and however often."""

from __future__ import annotations

import contextlib
import gzip
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.stack import Stack, eventually, running_stack
from tests.simulated_exchange import SpawnedExchange, spawned_exchange

RUNNING_SPEED, DOWN_SPEED = 10, 2
RECOVERY_S = 20.0
KILLS = 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Contents = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def tape(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven minutes of recorded trades across midnight, in the tape's own format."""
    recorded = next((shared_data / "tape-binance-spot").glob("*trades*.csv.gz"))
    tape = tmp_path_factory.mktemp("tape") / "tape.csv"
    with gzip.open(recorded, "rt") as source, tape.open("w") as target:
        target.write("trade_id,time_ms,price,size,side\n")
        next(source)
        for line in source:
            _, trade_id, time_ms, price, size, buyer_is_maker = line.strip().split(",")
            side = "sell" if buyer_is_maker.lower() in ("true", "1") else "buy"
            target.write(f"{trade_id},{time_ms},{price},{size},{side}\n")
    return tape


@pytest.fixture
def exchange(tape: Path, tmp_path: Path) -> Iterator[SpawnedExchange]:
    with replay(tape, tmp_path) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def undisturbed(tape: Path, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """What is stored when nothing goes wrong."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with (
        replay(tape, folder, speed=60) as exchange,
        running_stack(Path(f"/tmp/tcpd-{random.getrandbits(40):x}"), exchange) as stack,
    ):
        stack.manage(
            *("collect", "--exchange", "okx-sim", "--symbols", "BTC-USDT", "--until-idle", "5"),
            timeout_s=120,
        )
        return stack.contents()


@pytest.fixture
def stack(exchange: SpawnedExchange, tmp_path: Path) -> Iterator[Stack]:
    """A stack that collects the tape, with its first trades stored."""
    with running_stack(Path(f"/tmp/tcpd-{random.getrandbits(40):x}"), exchange) as stack:
        stack.manage("sync_instruments", "--exchange", "okx-sim")
        stack.manage("shell", "-c", ENABLE)
        stack.start_beat()
        stack.start_worker()
        eventually(stack, "first trades stored", lambda: stack.stored_trades() > 0, 30)
        yield stack


ENABLE = """
from marketdata import services
from marketdata.models import Instrument
services.enable_instrument(Instrument.objects.named("okx-sim", "BTC-USDT"))
"""


def replay(tape: Path, folder: Path, speed: float = RUNNING_SPEED) -> Any:
    options = ("--tape", str(tape), "--symbol", "BTC-USDT", "--speed", str(speed), "--hold")
    return spawned_exchange(folder, *options)


def test_an_undisturbed_run_stores_the_whole_tape(undisturbed: Contents, tape: Path) -> None:
    stored = [row[1] for row in undisturbed["marketdata_trade"]]

    ids = [int(line.split(",")[0]) for line in tape.read_text().splitlines()[1:]]
    assert stored == ids
    assert len([row for row in undisturbed["marketdata_candle"] if row[0] == 1]) >= 11


def test_killing_the_worker_twenty_times_changes_nothing(
    stack: Stack, exchange: SpawnedExchange, undisturbed: Contents
) -> None:
    def kill_and_start() -> None:
        stack.kill_worker()
        exchange.post("speed", {"speed": DOWN_SPEED})
        stack.start_worker()

    recoveries = disturb(stack, exchange, undisturbed, KILLS, kill_and_start)

    assert len(recoveries) == KILLS
    assert max(recoveries) < RECOVERY_S
    assert_equal(stack, undisturbed)


@pytest.mark.parametrize("engine", ["postgres", "valkey"])
def test_killing_an_engine_under_the_worker_changes_nothing(
    stack: Stack, exchange: SpawnedExchange, undisturbed: Contents, engine: str
) -> None:
    recoveries = disturb(stack, exchange, undisturbed, 6, lambda: stack.engines.restart(engine))

    assert len(recoveries) == 6
    assert max(recoveries) < RECOVERY_S
    assert_equal(stack, undisturbed)


def disturb(
    stack: Stack,
    exchange: SpawnedExchange,
    undisturbed: Contents,
    times: int,
    strike: Callable[[], None],
) -> list[float]:
    """Strike at random places of the tape; return how long each recovery took, in seconds.

    A place that has passed while the last strike was repaired is struck at once.
    """
    whole = len(undisturbed["marketdata_trade"])
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    places = sorted(random.Random(seed).sample(range(whole // 50, whole * 9 // 10), times))
    recoveries = []
    for place in places:
        eventually(stack, f"{place} trades", lambda p=place: stack.stored_trades() >= p, 90)
        strike()
        before = stack.stored_trades()
        recoveries.append(
            eventually(
                stack, "new trades", lambda b=before: stack.stored_trades() > b, 2 * RECOVERY_S
            )
        )
        exchange.post("speed", {"speed": RUNNING_SPEED})
    return recoveries


def assert_equal(stack: Stack, undisturbed: Contents) -> None:
    """Wait for the end of the tape, then compare table by table."""
    whole = {table: len(rows) for table, rows in undisturbed.items()}
    with contextlib.suppress(AssertionError):
        eventually(stack, "all rows", lambda: _counts(stack) == whole, 60)
    stored = stack.contents()
    for table, rows in undisturbed.items():
        missing, extra = set(rows) - set(stored[table]), set(stored[table]) - set(rows)
        difference = f"lacks {sorted(missing)[:3]}, has besides {sorted(extra)[:3]}"
        assert not missing | extra, f"{table} {difference}"
        assert len(stored[table]) == len(rows)


def _counts(stack: Stack) -> dict[str, int]:
    return {table: len(rows) for table, rows in stack.contents().items()}
