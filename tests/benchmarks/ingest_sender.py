"""A pre-encoded OKX feed for benchmarks: one trade per frame, as fast as asked, in its own process.

    python -m tests.benchmarks.ingest_sender --port 9001 --rate 50000 --seconds 60

Trade k of every symbol is a function of k alone, so REST pages and expected candles can be made
anywhere. Event times are this machine's wall time, so that a commit's lag can be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

SLICE_S = 0.02


@dataclass(frozen=True, slots=True)
class Tape:
    """An endless tape at `rate` trades a second over all symbols, taking turns.

    Its own clock goes `speed` times as fast as ours.
    """

    symbols: tuple[str, ...]
    rate: int
    start_ms: int
    speed: float = 1.0

    @property
    def first_id(self) -> int:
        """The id of trade 0: beyond those of any earlier run, so that none is a duplicate."""
        return self.start_ms * 100

    @property
    def per_symbol_rate(self) -> float:
        return self.rate / len(self.symbols)

    def columns(
        self, first: int, count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return ids, times in ms, prices in tenths and sizes in 1e-8 of trades first.. ."""
        k = np.arange(first, first + count, dtype=np.int64)
        # Before the start there was one trade a second: a reader's first page is enough.
        spacing = np.where(k < 0, 1000.0, 1000 * self.speed / self.per_symbol_rate)
        times = self.start_ms + np.floor(k * spacing).astype(np.int64)
        prices = 600_000 + k * 7919 % 2001 - 1000
        return self.first_id + k, times, prices, k * 104_729 % 99_999_999 + 1

    def frames(self, first: int, count: int) -> bytes:
        """Return WebSocket frames of trades first..first+count-1 of every symbol, taking turns."""
        ids, times, prices, sizes = self.columns(first, count)
        buys = ids % 3 != 0
        encoded = []
        for symbol in self.symbols:
            text = (
                f'{{"arg":{{"channel":"trades-all","instId":"{symbol}"}},"data":[{{"instId":"{symbol}",'
                '"tradeId":"IIIIIIIIIIIIIII","px":"PPPPP.P","sz":"0.SSSSSSSS","side":"XXXX",'
                '"source":"0","ts":"TTTTTTTTTTTTT"}]}'
            ).encode()
            # "sell" and "buy" differ in length: the blank that evens them out is legal JSON.
            text = text.replace(b'"XXXX"', b'"XXXXX')
            head = bytes([0x81, 126]) + len(text).to_bytes(2, "big")
            frame = np.frombuffer(head + text, dtype=np.uint8)
            rows = np.repeat(frame[np.newaxis, :], count, axis=0)
            offset = len(head)
            _digits(rows, offset + text.index(b"IIIIIIIIIIIIIII"), 15, ids)
            _digits(rows, offset + text.index(b"PPPPP.P"), 5, prices // 10)
            _digits(rows, offset + text.index(b"PPPPP.P") + 6, 1, prices % 10)
            _digits(rows, offset + text.index(b"SSSSSSSS"), 8, sizes)
            _digits(rows, offset + text.index(b"TTTTTTTTTTTTT"), 13, times)
            side = offset + text.index(b"XXXXX")
            rows[:, side : side + 5] = np.where(
                buys[:, np.newaxis],
                np.frombuffer(b'buy" ', dtype=np.uint8),
                np.frombuffer(b'sell"', dtype=np.uint8),
            )
            encoded.append(rows)
        return np.stack(encoded, axis=1).tobytes()

    def page(self, symbol: str, after: int | None, limit: int) -> list[dict[str, str]]:
        """Return single matches older than `after`, newest first."""
        end = (after or self.now_id()) - self.first_id
        ids, times, prices, sizes = self.columns(end - limit, limit)
        return [
            {
                "instId": symbol,
                "tradeId": str(i),
                "px": f"{p // 10}.{p % 10}",
                "sz": f"0.{s:08d}",
                "side": "buy" if i % 3 else "sell",
                "ts": str(t),
            }
            for i, t, p, s in zip(
                ids.tolist(), times.tolist(), prices.tolist(), sizes.tolist(), strict=True
            )
        ][::-1]

    def now_id(self) -> int:
        elapsed = max(0.0, time.time() - self.start_ms / 1000)
        return self.first_id + int(elapsed * self.per_symbol_rate)


def _digits(rows: NDArray[np.uint8], at: int, width: int, values: NDArray[np.int64]) -> None:
    for place in range(width):
        rows[:, at + width - 1 - place] = values // 10**place % 10 + ord("0")


class Sender:
    """Serves one tape to whoever subscribes to trades-all, from its first trade on."""

    def __init__(
        self, symbols: tuple[str, ...], rate: int, seconds: float, flat_out: bool, speed: float
    ) -> None:
        self.symbols, self.rate, self.flat_out, self.speed = symbols, rate, flat_out, speed
        self.total = int(rate * seconds) // len(symbols)
        self.tape: Tape | None = None

    async def on_request(self, connection: ServerConnection, request: Request) -> Response | None:
        url = urlsplit(request.path)
        if url.path.startswith("/ws/"):
            return None
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        data: list[dict[str, str]] = []
        if url.path.endswith("/public/time"):
            data = [{"ts": str(int(time.time() * 1000))}]
        elif url.path.endswith(("/history-trades", "/trades")) and self.tape is not None:
            after = int(query["after"]) if "after" in query else None
            data = self.tape.page(query["instId"], after, 100)
        body = json.dumps({"code": "0", "msg": "", "data": data}).encode()
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
        return Response(200, "OK", headers, body)

    async def on_connection(self, connection: ServerConnection) -> None:
        async with asyncio.TaskGroup() as tasks:
            async for message in connection:
                text = message if isinstance(message, str) else message.decode()
                if text == "ping":
                    await connection.send("pong")
                    continue
                args = json.loads(text)["args"]
                for arg in args:
                    await connection.send(json.dumps({"event": "subscribe", "arg": arg}))
                tasks.create_task(self.murmur(connection, args))
                if any(arg["channel"] == "trades-all" for arg in args):
                    tasks.create_task(self.feed(connection))

    async def murmur(self, connection: ServerConnection, args: list[dict[str, str]]) -> None:
        """Push what a live exchange pushes besides trades, once a second: silence is a fault."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                now_ms = int(time.time() * 1000)
                for arg in args:
                    if data := quiet_data(arg["channel"], arg["instId"], now_ms):
                        await connection.send(json.dumps({"arg": arg, "data": [data]}))
                await asyncio.sleep(1)

    def encode(self) -> Iterator[bytes]:
        """Make all frames, in slices of about 20 ms."""
        assert self.tape is not None
        size = max(1, int(self.tape.per_symbol_rate * SLICE_S))
        for first in range(0, self.total, size):
            yield self.tape.frames(first, min(size, self.total - first))

    async def feed(self, connection: ServerConnection) -> None:
        """Push the tape at its rate, or as fast as the reader takes it, until it leaves."""
        self.tape = Tape(self.symbols, self.rate, int(time.time() * 1000), self.speed)
        print(f"began {self.tape.start_ms}", flush=True)
        started = time.monotonic()
        for number, piece in enumerate(self.encode()):
            ahead = number * SLICE_S - (time.monotonic() - started)
            if not self.flat_out and ahead > 0:
                await asyncio.sleep(ahead)
            if connection.transport.is_closing():
                return
            connection.transport.write(piece)
            await connection.drain()
        took = time.monotonic() - started
        print(f"sent {self.total * len(self.symbols)} in {took:.3f} s", flush=True)


def quiet_data(channel: str, symbol: str, now_ms: int) -> object:
    """Return a push of a running candle or a ticker; None for other channels."""
    if channel == "candle1m":
        opened = str(now_ms // 60_000 * 60_000)
        return [opened, *["60000.0"] * 4, "0", "0", "0", "0"]
    if channel == "tickers":
        prices = dict.fromkeys(
            ("last", "bidPx", "askPx", "open24h", "high24h", "low24h"), "60000.0"
        )
        amounts = dict.fromkeys(("vol24h", "volCcy24h"), "1")
        return {"instType": "SPOT", "instId": symbol, **prices, **amounts, "ts": str(now_ms)}
    return None


async def main(arguments: argparse.Namespace) -> None:
    symbols = tuple(re.split(r"[,\s]+", arguments.symbols))
    sender = Sender(symbols, arguments.rate, arguments.seconds, arguments.flat_out, arguments.speed)
    async with serve(
        sender.on_connection,
        "127.0.0.1",
        arguments.port,
        compression=None,
        ping_interval=None,
        process_request=sender.on_request,
    ) as server:
        print(f"ready {server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--symbols", default="BTC-USDT,ETH-USDT")
    parser.add_argument("--rate", type=int, default=50_000, help="trades/s over all symbols")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--speed", type=float, default=1.0, help="of the tape's clock")
    parser.add_argument("--flat-out", action="store_true", help="ignore the clock")
    asyncio.run(main(parser.parse_args()))
