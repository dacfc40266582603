"""Sending one message to one channel: webhook, e-mail, Telegram.

Each sender raises NotSent with what was answered; it never lets a secret into the text.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx
from django.core.mail import BadHeaderError, EmailMessage

from tcpdashboard.common.alerts.destinations import ForbiddenDestination, resolve
from tcpdashboard.common.crypto import KeyTrouble, Sealed
from tcpdashboard.common.models import AlertChannel

TELEGRAM: Final = "https://api.telegram.org"
_CONNECT_S: Final = 5.0
_DEADLINE_S: Final = 10.0
_MOST_READ: Final = 300
_LONGEST_TEXT: Final = 4000
# What may well be answered otherwise the next time.
_PASSING: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


@dataclass(frozen=True, slots=True)
class Message:
    """What is told: a line, the text below it, and the same for programs.

    `key` is the same in every attempt, so that a receiver may drop what it has had.
    """

    key: str
    title: str
    text: str
    facts: Mapping[str, Any]


class NotSent(Exception):
    """A message did not get through. `is_final`: trying again would change nothing."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason[:_MOST_READ])
        self.is_final = is_final


def send(channel: AlertChannel, message: Message) -> str:
    """Send a message; return what was answered. Raises NotSent."""
    try:
        return _SENDERS[AlertChannel.Kind(channel.kind)](channel, message)
    except (ForbiddenDestination, KeyTrouble) as error:
        raise NotSent(str(error), is_final=True) from None


def _webhook(channel: AlertChannel, message: Message) -> str:
    body = json.dumps({"key": message.key, "title": message.title, **message.facts}).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": message.key}
    if channel.signing_key is not None:
        key = _revealed(channel.signing_key).encode()
        headers["X-Signature-SHA256"] = hmac.new(key, body, hashlib.sha256).hexdigest()
    return _posted(_revealed(channel.secret), body, headers)


def _telegram(channel: AlertChannel, message: Message) -> str:
    token = _revealed(channel.secret)
    text = f"{message.title}\n{message.text}"[:_LONGEST_TEXT]
    body = json.dumps({"chat_id": channel.address, "text": text}).encode()
    server = (channel.server or TELEGRAM).rstrip("/")
    headers = {"Content-Type": "application/json"}
    return _posted(f"{server}/bot{token}/sendMessage", body, headers)


def _email(channel: AlertChannel, message: Message) -> str:
    headers = {"Message-ID": f"<{message.key}@tcpdashboard>", "Auto-Submitted": "auto-generated"}
    mail = EmailMessage(message.title, message.text, to=[channel.address], headers=headers)
    try:
        mail.send()
    except BadHeaderError as error:
        raise NotSent(str(error), is_final=True) from None
    except smtplib.SMTPRecipientsRefused as error:
        code, why = next(iter(error.recipients.values()))
        raise NotSent(f"refused: {code} {why!r}", is_final=code >= 500) from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotSent(f"{type(error).__name__}: {error}") from None
    return "taken by the mail server"


def _posted(url: str, body: bytes, headers: Mapping[str, str]) -> str:
    """POST to a checked address, redirects not followed; return the start of the answer."""
    try:
        goal = resolve(url)
        # The checked address is connected to, under the name that the certificate is for.
        request = httpx.Request(
            "POST",
            goal.pinned_url,
            content=body,
            headers={**headers, "Host": goal.host_header, "User-Agent": "TCPDashboard"},
            extensions={
                "sni_hostname": goal.host,
                "timeout": httpx.Timeout(_CONNECT_S).as_dict(),
            },
        )
        with httpx.Client(trust_env=False) as client:
            answer = client.send(request, stream=True)
            try:
                start = _start_of(answer)
            finally:
                answer.close()
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        # Its text may hold the address, and that a token.
        raise NotSent(_kind_of(error)) from None
    told = f"{answer.status_code} {start}".strip()
    if answer.is_success:
        return told
    is_final = not answer.is_server_error and answer.status_code not in _PASSING
    raise NotSent(told, is_final=is_final)


def _start_of(answer: httpx.Response) -> str:
    """Return the first characters of an answer, however slowly the rest may come."""
    read, until = b"", time.monotonic() + _DEADLINE_S
    for part in answer.iter_raw(_MOST_READ):
        read += part
        if len(read) >= _MOST_READ or time.monotonic() > until:
            break
    return " ".join(read[:_MOST_READ].decode(errors="replace").replace("\0", "").split())


def _kind_of(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ConnectError | OSError):
        return "the server cannot be reached"
    return f"no proper answer ({type(error).__name__})"


def _revealed(secret: Any) -> str:
    return secret.reveal() if isinstance(secret, Sealed) else str(secret)


_SENDERS: Final[dict[AlertChannel.Kind, Callable[[AlertChannel, Message], str]]] = {
    AlertChannel.Kind.WEBHOOK: _webhook,
    AlertChannel.Kind.EMAIL: _email,
    AlertChannel.Kind.TELEGRAM: _telegram,
}
