"""Recorded trades replayed as a market."""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError, call_command

from marketdata.simulator.faults import Fault, FaultKind
from marketdata.simulator.tape import TapeMarket, read_tape
from tests.simulated_exchange import listening, pushed, reaches, running_exchange, topic

HEADER = "trade_id,time_ms,price,size,side\n"
MINUTE = 60_000


def write(folder: Path, lines: str, header: str = HEADER) -> Path:
    file = folder / "tape.csv"
    file.write_text(header + lines)
    return file


def test_a_tape_is_read_row_by_row(tmp_path):
    market = TapeMarket(
        write(tmp_path, "7,60000,100.5,0.25,buy\n8,60001,100.4,1,sell\n"), "BTC-USDT"
    )
    matches = market.matches("BTC-USDT", 0, 60_001)
    instrument = market.instruments["BTC-USDT"]

    assert matches.ids.tolist() == [7, 8]
    assert [instrument.price(ticks) for ticks in matches.ticks.tolist()] == ["100.5", "100.4"]
    assert [instrument.size(lots) for lots in matches.lots.tolist()] == ["0.25", "1"]
    assert matches.buys.tolist() == [True, False]


def test_a_merged_row_becomes_consecutive_matches_of_the_same_total(tmp_path):
    header = "trade_id,time_ms,price,size,side,count\n"
    market = TapeMarket(
        write(tmp_path, "10,60000,100,0.00000010,buy,3\n11,60000,100,1,buy,1\n", header), "BTC-USDT"
    )
    matches = market.matches("BTC-USDT", 0, 60_000)

    assert matches.ids.tolist() == [8, 9, 10, 11]
    assert matches.lots.tolist() == [3, 3, 4, 100_000_000]
    assert matches.starts.tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("1,60000,100,1,buy\n2,60000,100,1,hold\n", "line 3: expected buy or sell, was 'hold'"),
        ("1,60000,100,0,buy\n", "line 2: expected a size above 0"),
        ("1,60000,x,1,buy\n", "line 2: expected a plain decimal number, was 'x'"),
        ("1,60000,100,1,buy\n1,60000,100,1,buy\n", "line 3: trade 1 does not follow"),
        ("1,60000,100,1,buy\n2,59999,100,1,buy\n", "line 3: time 59999 goes back"),
        ("", "at least one trade"),
    ],
)
def test_a_tape_that_is_wrong_says_where(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        read_tape(write(tmp_path, lines))


def test_a_tape_without_a_column_names_it(tmp_path):
    with pytest.raises(ValueError, match="no side"):
        read_tape(write(tmp_path, "1,2,3,4\n", "trade_id,time_ms,price,size\n"))


def test_an_unknown_symbol_becomes_a_spot_instrument_as_fine_as_its_tape(tmp_path):
    market = TapeMarket(write(tmp_path, "1,60000,0.00012,3.5,buy\n"), "ABC-EUR")
    row = market.instruments["ABC-EUR"].row()

    assert (row["instType"], row["baseCcy"], row["quoteCcy"]) == ("SPOT", "ABC", "EUR")
    assert (row["tickSz"], row["lotSz"]) == ("0.00001", "0.1")


@pytest.mark.asyncio
async def test_before_the_tape_there_is_no_history_and_after_it_nothing_happens(tmp_path):
    tape = write(tmp_path, "5,600000,100,1,buy\n6,660500,101,2,sell\n7,780000,99,1,buy\n")
    settings = {"tape": tape, "symbol": "BTC-USDT", "speed": 200.0, "hold": True}
    async with (
        running_exchange(tmp_path, **settings) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
        httpx.AsyncClient(base_url=f"{exchange.rest_url}/api/v5/market/") as rest,
    ):
        query = {"instId": "BTC-USDT"}
        for path in ("trades", "history-trades", "candles", "ticker", "books"):
            assert (await rest.get(path, params=query)).json()["data"] == []
        await socket.subscribe(topic("trades-all"), topic("candle1m"))
        rows = await socket.rows("trades-all", 3)
        await reaches(exchange, 780_000)
        with pytest.raises(TimeoutError):
            await socket.until(lambda it: False, seconds=0.5)
        candles = (await rest.get("candles", params=query)).json()["data"]
        trades = (await rest.get("history-trades", params={**query, "after": "7"})).json()["data"]

        assert exchange.clock.now_ms == 780_000
        assert exchange.state()["hasEnded"] is True
    assert [row["tradeId"] for row in rows] == ["5", "6", "7"]
    assert [row["tradeId"] for row in trades] == ["6", "5"]
    assert [(int(row[0]) // MINUTE, *row[1:6], row[8]) for row in candles] == [
        (13, "99", "99", "99", "99", "1", "0"),
        (12, "101", "101", "101", "101", "0", "0"),
        (11, "101", "101", "101", "101", "2", "1"),
        (10, "100", "100", "100", "100", "1", "1"),
    ]
    confirmed = [
        int(frame["data"][0][0]) // MINUTE
        for frame in map(json.loads, socket.frames)
        if pushed(frame, "candle1m") and frame["data"][0][8] == "1"
    ]
    assert confirmed == [10, 11]


@pytest.mark.asyncio
async def test_a_cut_is_over_at_the_end_of_the_tape(tmp_path):
    tape = write(tmp_path, "5,600000,100,1,buy\n6,630000,101,2,sell\n")
    async with running_exchange(tmp_path, tape=tape, symbol="BTC-USDT", speed=20.0) as exchange:
        exchange.faults.add([Fault(kind=FaultKind.CUT, seconds=3600.0)])
        async with asyncio.timeout(10):
            while not exchange.network.is_cut:  # noqa: ASYNC110 -- a port has no event
                await asyncio.sleep(0.01)
            address = f"{exchange.rest_url}/api/v5/market/history-trades?instId=BTC-USDT&after=7"
            async with httpx.AsyncClient() as client:
                with pytest.raises(httpx.ConnectError):
                    await client.get(address)
                cut_at_ms = exchange.clock.now_ms
                await reaches(exchange, 630_000)
                while exchange.network.is_cut:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                trades = (await client.get(address)).json()["data"]
    assert cut_at_ms < 630_000
    assert exchange.clock.now_ms == 630_000
    assert [row["tradeId"] for row in trades] == ["6", "5"]


@pytest.mark.asyncio
async def test_a_state_folder_of_another_tape_is_refused(tmp_path):
    tape = write(tmp_path, "5,600000,100,1,buy\n")
    async with running_exchange(tmp_path, speed=0.0):
        pass

    with pytest.raises(ValueError, match="another market"):
        async with running_exchange(tmp_path, tape=tape, symbol="BTC-USDT"):
            pass


def served(tmp_path: Path, tape: Path, symbol: str) -> dict[int, list[str]]:
    """Return the closed minutes of a tape at its end, as REST serves them."""
    import asyncio

    async def pages() -> list[list[str]]:
        end = read_tape(tape)[-1].time_ms
        settings = {"tape": tape, "symbol": symbol, "speed": 0.0, "start_ms": end}
        async with (
            running_exchange(tmp_path, **settings) as exchange,
            httpx.AsyncClient(base_url=f"{exchange.rest_url}/api/v5/market/") as rest,
        ):
            rows: list[list[str]] = []
            query = {"instId": symbol, "limit": 300}
            while page := (await rest.get("history-candles", params=query)).json()["data"]:
                rows += page
                query["after"] = page[-1][0]
        return rows

    return {int(row[0]): row for row in asyncio.run(pages())}


def test_binances_minutes_come_out_as_binance_published_them(tmp_path, shared_data):
    folder = shared_data / "tape-binance-spot"
    (source,) = folder.glob("*trades*.csv.gz")
    (published,) = folder.glob("*candles*.csv")
    tape = tmp_path / "tape.csv.gz"
    call_command("convert_tape", "--format", "binance-spot", str(source), str(tape))

    found = served(tmp_path, tape, "BTC-USDT")
    whole = 0
    with published.open() as stream:
        for row in csv.DictReader(stream):
            if not min(found) < int(row["open_time_ms"]) <= max(found):
                continue  # the tape begins and ends in the middle of a minute
            built = [float(cell) for cell in found[int(row["open_time_ms"])][1:6]]
            names = ("open", "high", "low", "close", "volume")
            assert built == [float(row[name]) for name in names]
            whole += 1
    assert whole == 10


def test_krakens_empty_minutes_are_flat_as_kraken_published_them(tmp_path, shared_data):
    folder = shared_data / "tape-kraken"
    tape = tmp_path / "tape.csv"
    call_command(
        "convert_tape", "--format", "kraken", str(folder / "http_trades.json.gz"), str(tape)
    )
    found = served(tmp_path, tape, "BTC-USDT")
    with gzip.open(folder / "http_ohlc.json.gz") as stream:
        published = next(iter(json.load(stream)["result"].values()))

    times = sorted(found)[1:]  # the first minute of the tape is only partly there
    equal = {"traded": 0, "flat": 0}
    for time_s, *cells in published:
        if not times[0] <= time_s * 1000 <= times[-1]:
            continue
        row = [float(cell) for cell in found[time_s * 1000][1:6]]
        assert row == [float(cells[place]) for place in (0, 1, 2, 3, 5)]
        equal["flat" if cells[6] == 0 else "traded"] += 1
    assert equal["traded"] > 260
    assert equal["flat"] == 137


@pytest.mark.asyncio
async def test_a_whole_recording_is_pushed_without_a_hole(tmp_path, shared_data):
    (source,) = (shared_data / "tape-binance-spot").glob("*trades*.csv.gz")
    tape = tmp_path / "tape.csv.gz"
    call_command("convert_tape", "--format", "binance-spot", str(source), str(tape))
    recorded = [row.trade_id for row in read_tape(tape)]
    settings = {"tape": tape, "symbol": "BTC-USDT", "speed": 300.0, "hold": True}
    async with (
        running_exchange(tmp_path, **settings) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await socket.subscribe(topic("trades-all"))
        rows = await socket.rows("trades-all", len(recorded), seconds=25)

    assert [int(row["tradeId"]) for row in rows] == recorded


def test_an_unknown_recording_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")

    with pytest.raises(CommandError, match="is no kraken recording"):
        call_command(
            "convert_tape", "--format", "kraken", str(tmp_path / "x.csv"), str(tmp_path / "y.csv")
        )
