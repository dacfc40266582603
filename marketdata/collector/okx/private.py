"""The private socket: it logs in before it subscribes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.okx.constants import ACCOUNT
from marketdata.collector.okx.messages import OtherEvent, Refusal
from marketdata.collector.okx.websocket import OKXSocket
from marketdata.collector.ports import Credential

LOGIN: Final = "login"
TOO_MANY: Final = "channel-conn-count-error"
REST_S: Final = 3600.0
"""A refused credential is tried again after this: asked too often, OKX blocks the address."""


class Login:
    """The login to one account, over all the sockets that try it.

    `refusal` says why the exchange does not take the credential; empty while it does.
    """

    def __init__(
        self, credential: Credential, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.credential = credential
        self.refusal = ""
        self._monotonic, self._rests_until = monotonic, 0.0

    def answered(self, refusal: str) -> None:
        """Take the exchange's answer; an empty one is a success."""
        self.refusal = refusal
        self._rests_until = self._monotonic() + REST_S if refusal else 0.0

    async def allowed(self) -> None:
        """Return when the login may be tried."""
        await asyncio.sleep(max(0.0, self._rests_until - self._monotonic()))


class PrivateSocket(OKXSocket):
    """A socket of one account. `login` is handed the answer to the login.

    A refused login ends the socket: the next one connects when the login may be tried again.
    """

    def __init__(self, login: Login, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._login = login
        self._is_answered = asyncio.Event()
        self._refusal: str | None = None

    def take(self, said: OtherEvent | Refusal) -> None:
        """Take an event that may answer the login."""
        if isinstance(said, Refusal):
            if said.channel or self._is_answered.is_set():
                return
            # Some refusals repeat the request, and with it the secrets.
            told = said.message.partition("{")[0].strip()
            self._refusal = f"login refused with {said.code} {told}"
        elif said.event == TOO_MANY:
            # It was acknowledged before, and dropped now: asked for again like what was refused.
            self.refuse((ACCOUNT, ""), TOO_MANY)
            return
        elif said.event != LOGIN:
            return
        self._is_answered.set()

    async def run(self) -> None:
        """Wait until the login may be tried, then do as every socket."""
        await self._login.allowed()
        await super().run()

    async def subscribe(self) -> None:
        """Log in, then subscribe."""
        assert self._connection is not None
        self._spend_request()
        await self._connection.send(login_request(self._login.credential, int(time.time())))
        try:
            async with asyncio.timeout(self._settings.ack_within_s):
                await self._is_answered.wait()
        except TimeoutError:
            raise ExchangeUnavailable("the login was not answered") from None
        self._login.answered(self._refusal or "")
        if self._refusal is not None:
            raise ExchangeUnavailable(self._refusal)
        await super().subscribe()


def login_request(credential: Credential, wall_s: int) -> str:
    """Return the login, valid for 30 s around `wall_s` (UNIX seconds)."""
    signed = f"{wall_s}GET/users/self/verify".encode()
    digest = hmac.new(credential.secret.encode(), signed, hashlib.sha256).digest()
    argument = {
        "apiKey": credential.api_key,
        "passphrase": credential.passphrase,
        "timestamp": str(wall_s),
        "sign": base64.b64encode(digest).decode(),
    }
    return msgspec.json.encode({"op": LOGIN, "args": [argument]}).decode()
