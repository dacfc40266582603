"""What OKX says, read from its own recordings and from frames written by hand."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from marketdata.collector.okx.messages import (
    Ack,
    CandlePush,
    CandlesPush,
    Notice,
    OtherEvent,
    OtherPush,
    Pong,
    Refusal,
    TickersPush,
    TradesPush,
    Unreadable,
)
from marketdata.collector.okx.parsing import TRADES_PREFIX, parse
from marketdata.collector.okx.rest_parsing import parse_envelope, parse_instruments
from marketdata.domain.records import Ticker

TRADE = (
    '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT",'
    '"tradeId":"1062992715","px":"83772.6","sz":"0.0000178","side":"sell","ts":"1790358565298",'
    '"count":"3","source":"1","seqId":81625379835}]}'
)
TICKER = {
    "instType": "SPOT",
    "instId": "BTC-USDT",
    "last": "83766.8",
    "askPx": "83774.2",
    "bidPx": "83774.1",
    "open24h": "84180.1",
    "high24h": "85258.8",
    "low24h": "83174.7",
    "volCcy24h": "450.5",
    "vol24h": "5.25",
    "ts": "1790358564306",
}


def push(channel: str, row: object, symbol: str = "BTC-USDT") -> bytes:
    return json.dumps({"arg": {"channel": channel, "instId": symbol}, "data": [row]}).encode()


def received(file: Path) -> list[bytes]:
    """Return the frames a recording received; the lines of what was sent are marked <-."""
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    return [
        line.partition(": ")[2].encode()
        for line in lines
        if not line.startswith("wss:") and ": " in line
    ]


def kinds(frames: list[bytes]) -> Counter[str]:
    return Counter(type(parse(frame)).__name__ for frame in frames)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        (
            "OKX.2022-05-13.ws",
            {"Ack": 18, "TickersPush": 28, "TradesPush": 74, "OtherPush": 290},
        ),
        (
            "OKEX.2021-07-22.ws1",
            {"Ack": 30, "TickersPush": 46, "TradesPush": 36, "OtherPush": 1504},
        ),
        (
            "OKEX.2021-07-22.ws2",
            {"Ack": 30, "TickersPush": 47, "TradesPush": 36, "OtherPush": 1446},
        ),
        (
            "OKEX.2021-07-22.ws3",
            {"Ack": 30, "TickersPush": 46, "TradesPush": 36, "OtherPush": 1422},
        ),
        (
            "OKCOIN.2023-05-27.ws",
            {"Ack": 40, "CandlesPush": 12, "TickersPush": 8, "TradesPush": 4, "OtherPush": 6},
        ),
    ],
)
def test_every_recorded_frame_becomes_a_record(shared_data, name, counts):
    frames = received(shared_data / "okx-recorded" / f"{name}.txt.gz")

    assert kinds(frames) == counts


def test_recorded_trades_keep_their_ids_and_order(shared_data):
    frames = received(shared_data / "okx-recorded" / "OKX.2022-05-13.ws.txt.gz")
    pushes = [said for frame in frames if isinstance(said := parse(frame), TradesPush)]
    ids = [row[0] for said in pushes if said.symbol == "BTC-USDT" for row in said.rows]

    assert len(ids) == 69
    assert ids == list(range(ids[0], ids[0] + 69))


def test_recorded_candles_are_confirmed_once_their_minute_is_over(shared_data):
    frames = received(shared_data / "okx-recorded" / "OKCOIN.2023-05-27.ws.txt.gz")
    candles = [
        candle
        for frame in frames
        if isinstance(said := parse(frame), CandlesPush)
        for candle in said.candles
    ]

    assert Counter(candle.confirmed for candle in candles) == {False: 8, True: 4}
    assert {candle.open_time_ms for candle in candles if candle.confirmed} == {1685221620000}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_three_sockets_recorded_at_once_brought_the_same_trades(shared_data, number):
    def rows(name: str) -> set[tuple[object, ...]]:
        frames = received(shared_data / "okx-recorded" / f"OKEX.2021-07-22.{name}.txt.gz")
        pushes = [said for frame in frames if isinstance(said := parse(frame), TradesPush)]
        return {(said.symbol, *row) for said in pushes for row in said.rows}

    assert len(rows("ws1")) == 36
    assert rows(f"ws{number}") == rows("ws1")


def test_every_quoted_frame_of_all_years_is_read_or_left_aside(shared_data):
    folder = shared_data / "okx-frames"
    frames, envelopes = [], 0
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            decoded = json.loads(line)
            frame = decoded.get("frame", decoded)
            text = json.dumps(frame).encode() if "frame" in decoded else line.encode()
            if "code" in frame and "event" not in frame:
                assert parse_envelope(text).code == "0"
                envelopes += 1
            else:
                frames.append(text)

    assert (len(frames), envelopes) == (93, 13)
    assert kinds(frames) == {
        "TradesPush": 14,
        "TickersPush": 12,
        "CandlesPush": 6,
        "OtherPush": 52,
        "Ack": 4,
        "Refusal": 4,
        # One frame of the third version of the interface.
        "Unreadable": 1,
    }


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("OKX.2022-05-13.rest_instruments", {"spot", "swap"}),
        ("OKCOIN.2023-05-27.rest_instruments", {"spot"}),
    ],
)
def test_recorded_instruments_are_listed_with_their_sizes(shared_data, name, kept):
    lines = received_answers(shared_data / "okx-recorded" / f"{name}.txt.gz")
    found = {}
    for url, body in lines:
        envelope = parse_envelope(body)
        if envelope is not None and url.endswith(("SPOT", "SWAP")):
            found |= {each.symbol: each for each in parse_instruments(envelope.data)}

    assert {each.kind for each in found.values()} == kept
    assert all(each.tick_size > 0 and each.contract_value > 0 for each in found.values())
    if "swap" in kept:
        swap, spot = found["BTC-USDT-SWAP"], found["BTC-USDT"]
        assert (swap.base, swap.quote, str(swap.contract_value)) == ("BTC", "USDT", "0.01")
        assert (spot.tick_size, spot.contract_value) == (swap.tick_size, 1)
        assert "BTC-USD-SWAP" not in found, "inverse contracts have no fixed size in base currency"


def received_answers(file: Path) -> list[tuple[str, bytes]]:
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    parts = [line.partition(" -> ") for line in lines if " -> " in line]
    return [(url, answer.partition(": ")[2].encode()) for url, _, answer in parts]


def test_a_trade_is_a_row_with_its_count_and_the_takers_side():
    assert parse(TRADE.encode()) == TradesPush(
        "trades", "BTC-USDT", ((1062992715, 1790358565298, 83772.6, 0.0000178, -1, 3),)
    )
    assert TRADE.encode().startswith(TRADES_PREFIX)


def test_another_order_of_keys_says_the_same():
    frame = json.loads(TRADE)
    turned = json.dumps({"data": frame["data"], "arg": frame["arg"]}).encode()

    assert not turned.startswith(TRADES_PREFIX)
    assert parse(turned) == parse(TRADE.encode())


def test_several_rows_in_one_frame_are_all_taken():
    frame = json.loads(TRADE)
    frame["data"] *= 2

    assert len(parse(json.dumps(frame).encode()).rows) == 2


def test_volumes_of_swaps_are_taken_in_base_currency():
    row = ["1685221620000", "4", "6", "3", "5", "88325", "8832.5", "693968", "1"]

    spot = parse(push("candle1m", row)).candles[0]
    swap = parse(push("candle1m", row, "TRB-USDT-SWAP")).candles[0]

    assert spot == CandlePush(
        "BTC-USDT", 1685221620000, 4.0, 6.0, 3.0, 5.0, 88325.0, True, 693968.0
    )
    assert swap.volume == 8832.5


def test_old_candles_without_a_confirmation_are_running_ones():
    row = ["1685221620000", "4", "6", "3", "5", "1", "5"]

    assert not parse(push("candle1m", row)).candles[0].confirmed


def test_candles_may_grow_new_columns():
    row = ["1685221620000", "4", "6", "3", "5", "1", "5", "5", "1", "new", None]

    assert parse(push("candle1m", row)).candles[0].confirmed


def test_an_empty_side_of_a_ticker_is_none():
    ticker = parse(push("tickers", TICKER | {"bidPx": "", "askPx": ""})).tickers[0]

    assert ticker == Ticker(
        symbol="BTC-USDT",
        time_ms=1790358564306,
        last=83766.8,
        bid=None,
        ask=None,
        open_24h=84180.1,
        high_24h=85258.8,
        low_24h=83174.7,
        volume_24h=5.25,
        volume_ccy_24h=450.5,
    )


def test_an_instrument_that_never_traded_has_no_ticker():
    assert parse(push("tickers", TICKER | {"last": ""})) == TickersPush("tickers", "BTC-USDT", ())


def test_a_refusal_names_the_channel_that_only_its_text_names():
    text = (
        "Wrong URL or channel:trades-all,instId:NO-SUCH doesn't exist. Please use the correct URL"
    )
    frame = json.dumps({"event": "error", "code": 60018, "msg": text, "connId": "d5e6891c"})

    assert parse(frame.encode()) == Refusal("60018", text, "trades-all", "NO-SUCH")


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b"pong", Pong()),
        (
            b'{"event":"notice","code":"64008","msg":"Please reconnect.","connId":"a4d3ae55"}',
            Notice("64008", "Please reconnect."),
        ),
        (
            b'{"id":"1","event":"subscribe","arg":{"channel":"tickers","instId":"A-B"}}',
            Ack("subscribe", "tickers", "A-B"),
        ),
        (
            b'{"event":"channel-conn-count","channel":"orders","connCount":"2"}',
            OtherEvent("channel-conn-count"),
        ),
        (
            b'{"event":"error","code":"60011","msg":"Please log in"}',
            Refusal("60011", "Please log in", "", ""),
        ),
        (b'{"arg":{"channel":"books","instId":"A-B"},"data":[]}', OtherPush("books", "A-B")),
    ],
)
def test_events_are_told_apart(frame, said):
    assert parse(frame) == said


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"ping",
        b"null",
        b"[]",
        b"{}",
        b'{"arg":{"channel":"trades-all"}}',
        b'{"arg":"trades","data":[]}',
        b"\xff\xfe\x00",
        TRADE.encode()[:-30],
        TRADE.encode() + b"}",
        TRADE.replace("83772.6", "NaN").encode(),
        TRADE.replace("83772.6", "-1").encode(),
        TRADE.replace("83772.6", "").encode(),
        TRADE.replace("0.0000178", "0").encode(),
        TRADE.replace("0.0000178", "1e999").encode(),
        TRADE.replace("1062992715", "99999999999999999999").encode(),
        TRADE.replace('"sell"', '"both"').encode(),
        TRADE.replace('"count":"3"', '"count":"0"').encode(),
        TRADE.replace('"ts":"1790358565298",', "").encode(),
        TRADE.replace('"source":"1"', '"source":' + "[" * 100_000).encode(),
        push("candle1m", ["1685221620000", "4", "6"]),
        push("candle1m", {"ts": "1685221620000"}),
        push("tickers", TICKER | {"last": "high"}),
        push("tickers", TICKER | {"askPx": "inf"}),
    ],
)
def test_bad_input_is_named_and_never_thrown(frame):
    assert isinstance(parse(frame), Unreadable)


def test_every_cut_of_a_frame_is_survived():
    frame = TRADE.encode()
    for end in range(len(frame)):
        assert isinstance(parse(frame[:end]), Unreadable)
