"""One WebSocket connection: its requests, acks, errors and limits."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from marketdata.simulator.channels import VIP_CHANNELS, Channel
from marketdata.simulator.config import Config
from marketdata.simulator.faults import FaultKind, Faults
from marketdata.simulator.hub import Hub, Topic
from marketdata.simulator.login import login_error
from marketdata.simulator.view import View
from marketdata.simulator.websocket import Socket
from marketdata.simulator.wire import text_frame

_HOUR_S: Final = 3600.0
_ADVICE: Final = (
    "doesn't exist. Please use the correct URL, channel and parameters referring to API document."
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every session shares."""

    config: Config
    hub: Hub
    channels: dict[str, Channel]
    faults: Faults
    view: Callable[[], View]
    monotonic: Callable[[], float]
    wall: Callable[[], float]


class Session:
    """What the exchange knows of one connection. `path` is public, business or private."""

    def __init__(self, path: str, socket: Socket, around: Surroundings) -> None:
        self.path = path
        self.connection_id = secrets.token_hex(4)
        self.topics: dict[Topic, None] = {}
        self._socket = socket
        self._around = around
        self._requests: deque[float] = deque()
        self._is_logged_in = False
        self._active_s = around.monotonic()
        self._silent_until_s = 0.0
        self._answers_pings = True
        self._reading_s = around.monotonic()

    # ------------------------------------------------------------------ out
    def push(self, messages: list[bytes], frames: bytes) -> None:
        """Send data, unless the connection is stalled."""
        if self._around.monotonic() < self._silent_until_s:
            return
        self._active_s = self._around.monotonic()
        self._socket.send(messages, frames)

    def event(self, **fields: object) -> None:
        """Send an event frame."""
        message = msgspec.json.encode({**fields, "connId": self.connection_id})
        self.push([message], text_frame(message))

    def _error(self, code: str, text: str, request_id: str | None) -> None:
        echoed = {} if request_id is None else {"id": request_id}
        self.event(**echoed, event="error", msg=text, code=code)

    # ------------------------------------------------------------------ in
    def receive(self, text: str) -> None:
        """Answer one text frame of the client."""
        if text == "ping":
            self._pong()
            return
        try:
            request = msgspec.json.decode(text)
        except msgspec.DecodeError:
            request = None
        if not isinstance(request, dict) or not isinstance(request.get("args"), list):
            self._error("60012", f"Illegal request: {text}", None)
            return
        self._request(request)

    def _pong(self) -> None:
        now = self._around.monotonic()
        self._active_s = now
        if now >= self._silent_until_s or self._answers_pings:
            self._socket.send([b"pong"], text_frame(b"pong"))

    def _request(self, request: dict[str, Any]) -> None:
        request_id = request.get("id")
        if request_id is not None and not _is_id(request_id):
            self._error("60033", "Parameter id error", None)
            return
        if not self._is_within_limit():
            self._error("60014", "Requests too frequent", request_id)
            return
        answers = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "login": self._login,
        }
        answer = answers.get(str(request.get("op")))
        if answer is None:
            self._error("60019", f"Invalid op: {request.get('op')}", request_id)
            return
        if not request["args"]:
            self._error("60013", "Invalid args", request_id)
        for argument in request["args"]:
            answer(argument, request_id)

    def _is_within_limit(self) -> bool:
        limit = self._around.config.limits.requests_per_hour
        if limit is None:
            return True
        now = self._around.monotonic()
        while self._requests and self._requests[0] <= now - _HOUR_S:
            self._requests.popleft()
        if len(self._requests) >= limit:
            return False
        self._requests.append(now)
        return True

    # ------------------------------------------------------------------ subscriptions
    def _subscribe(self, argument: object, request_id: str | None) -> None:
        topic = self._topic(argument, request_id)
        if topic is None:
            return
        around = self._around
        if around.faults.take(FaultKind.REFUSE, topic.channel, topic.subject):
            self._wrong_channel(argument, request_id)
            return
        first: list[bytes] = []
        if topic not in self.topics:
            self.topics[topic] = None
            first = around.hub.subscribe(topic, self, around.view())
        is_early = around.faults.take(FaultKind.DATA_BEFORE_ACK, topic.channel, topic.subject)
        if is_early and first:
            self.push(first, b"".join(map(text_frame, first)))
        self._ack("subscribe", argument, request_id)
        if topic.channel == "account":
            self.event(event="channel-conn-count", channel="account", connCount="1")
        if first and not is_early:
            self.push(first, b"".join(map(text_frame, first)))

    def _unsubscribe(self, argument: object, request_id: str | None) -> None:
        topic = self._topic(argument, request_id)
        if topic is None:
            return
        self.topics.pop(topic, None)
        hub = self._around.hub
        if seconds := hub.lingers(topic):
            asyncio.get_running_loop().call_later(seconds, hub.unsubscribe, topic, self)
        else:
            hub.unsubscribe(topic, self)
        self._ack("unsubscribe", argument, request_id)

    def _ack(self, event: str, argument: object, request_id: str | None) -> None:
        echoed = {} if request_id is None else {"id": request_id}
        self.event(**echoed, event=event, arg=argument)

    def _topic(self, argument: object, request_id: str | None) -> Topic | None:
        """Return the topic an argument names, or answer with the error."""
        if not isinstance(argument, dict) or not isinstance(argument.get("channel"), str):
            self._error("60013", "Invalid args", request_id)
            return None
        name = argument["channel"]
        channel = self._around.channels.get(name)
        needs_login = name in VIP_CHANNELS or (channel is not None and channel.path == "private")
        if needs_login and not self._is_logged_in:
            self._error("60011", "Please log in", request_id)
        elif name in VIP_CHANNELS:
            self._error("64003", "Your trading fee tier doesn't meet the requirement", request_id)
        elif channel is None or not self._offers(channel, argument):
            self._wrong_channel(argument, request_id)
        else:
            return self._around.hub.topic(name, str(argument.get(channel.subject, "")))
        return None

    def _offers(self, channel: Channel, argument: dict[str, Any]) -> bool:
        is_legacy = self._around.config.candles_on_public and channel.name.startswith("candle")
        if channel.path != self.path and not (is_legacy and self.path == "public"):
            return False
        subject = argument.get(channel.subject)
        if channel.subject and not isinstance(subject, str):
            return False
        if channel.subject == "instId":
            return subject in self._around.view().market.instruments
        return channel.subject != "instType" or subject in {"SPOT", "SWAP", "FUTURES", "OPTION"}

    def _wrong_channel(self, argument: object, request_id: str | None) -> None:
        fields = argument if isinstance(argument, dict) else {}
        named = ",".join(f"{key}:{value}" for key, value in fields.items())
        is_candle = str(fields.get("channel")).startswith("candle")
        start = "Subscribe failed, wrong URL or" if is_candle else "Wrong URL or"
        self._error("60018", f"{start} {named} {_ADVICE}", request_id)

    # ------------------------------------------------------------------ login
    def _login(self, argument: object, request_id: str | None) -> None:
        around = self._around
        if self._is_logged_in:
            self._error("60031", "The connection is already logged in", request_id)
            return
        wrong = login_error(argument, around.config.credentials, around.wall())
        if wrong is not None:
            self._error(*wrong, request_id)
            return
        self._is_logged_in = True
        self.event(event="login", code="0", msg="")

    # ------------------------------------------------------------------ trouble
    def stall(self, seconds: float, pong: bool) -> None:
        """Send nothing for so long, with the connection open."""
        self._silent_until_s = self._around.monotonic() + seconds
        self._answers_pings = pong
        self._socket.is_mute = not pong

    def disconnect(self) -> None:
        """Drop the connection without a closing frame."""
        self._socket.abort()

    def close(self, code: int, reason: str) -> None:
        """Close with a frame."""
        self._socket.close(code, reason)

    def announce_upgrade(self) -> None:
        """Send the notice of a service upgrade."""
        self.event(
            event="notice",
            code="64008",
            msg="The connection will soon be closed for a service upgrade. Please reconnect.",
        )

    def leave(self) -> None:
        """Forget the connection's subscriptions."""
        for topic in self.topics:
            self._around.hub.unsubscribe(topic, self)
        self.topics = {}

    def check(self) -> None:
        """Close a connection that has been idle, or that does not read, for too long."""
        limits, now = self._around.config.limits, self._around.monotonic()
        idle = limits.idle_close_s
        if not self.is_lagging:
            self._reading_s = now
        if now >= self._silent_until_s:
            self._socket.is_mute = False
        if idle is not None and now - max(self._active_s, self._silent_until_s) >= idle:
            self.close(4004, "No data received in 30s.")
        elif now - self._reading_s >= limits.slow_reader_s:
            self.close(4005, "Buffer is full, cannot write data")
            self._socket.abort()

    @property
    def is_lagging(self) -> bool:
        """Whether the client reads slower than the exchange pushes; the clock waits for it."""
        return self._socket.unsent_bytes > self._around.config.limits.slow_reader_bytes


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 32 and value.isascii() and value.isalnum()
