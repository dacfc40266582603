"""The stream on the real server: many readers, some of whom stop reading."""

from __future__ import annotations

import base64
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import psutil
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tcpdashboard.common.closing import REASONS, TOO_SLOW
from tcpdashboard.common.realtime import TopicPublisher
from tests.patience import until

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def topic():
    return f"candles:test-{uuid.uuid4().hex[:8]}:BTC-USDT:1m"


@pytest.fixture
def publisher():
    publisher = TopicPublisher(settings.REDIS_URL)
    yield publisher
    publisher.close()


@pytest.fixture
def cookie(transactional_db):
    client = Client()
    client.force_login(get_user_model().objects.create_user(uuid.uuid4().hex))
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}"


@pytest.fixture
def server(transactional_db, tmp_path):
    """The web process, on this test's database: (port, process)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    name = connection.settings_dict["NAME"]
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database.geturl(), "TCPD_VAR": str(tmp_path)},
    )
    until(lambda: is_open(port) or process.poll() is not None, "the server did not start")
    assert process.poll() is None, "the server ended"
    yield port, process
    process.kill()
    process.wait(10)


def is_open(port):
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def browser(port, cookie, **options):
    return connect(
        f"ws://127.0.0.1:{port}/ws/stream/",
        origin=f"http://127.0.0.1:{port}",
        additional_headers={"Cookie": cookie} if cookie else {},
        compression=None,
        **options,
    )


def subscribe(socket_, topic):
    socket_.send(orjson.dumps({"op": "subscribe", "topics": [topic]}).decode())
    while (message := orjson.loads(socket_.recv(30)))["type"] == "status":
        pass
    return message


class LazyReader:
    """A browser that subscribes and then does not read."""

    def __init__(self, port, cookie, topic):
        self.socket = socket.socket()
        # Fixed, so that it does not grow: the server notices sooner. It precedes the connection.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262_144)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws/stream/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Origin: http://127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Cookie: {cookie}\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(4096)
        request = orjson.dumps({"op": "subscribe", "topics": [topic]})
        self.socket.sendall(bytes([0x81, 0x80 | len(request), 0, 0, 0, 0]) + request)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.socket.close()

    def read_to_the_end(self):
        data = b""
        while part := self.socket.recv(1 << 20):
            data += part
        return data


def connected_ports(process):
    connections = psutil.Process(process.pid).net_connections("tcp")
    return {found.raddr.port for found in connections if found.raddr}


def test_who_does_not_read_is_closed_with_4408_and_nobody_else_notices(
    server, cookie, topic, publisher
):
    port, process = server
    with (
        LazyReader(port, cookie, topic) as lazy,
        LazyReader(port, cookie, topic) as dead,
        browser(port, cookie) as reader,
    ):
        subscribe(reader, topic)
        filler = "x" * 60_000

        # More than the kernel's buffers take; each message must reach the reader in good time.
        started = time.monotonic()
        number = 0
        while time.monotonic() < started + 7:
            number += 1
            sent = time.monotonic()
            publisher.publish(topic, {"number": number, "filler": filler})
            while orjson.loads(reader.recv(30))["number"] < number:
                pass
            assert time.monotonic() - sent < 1.5
            time.sleep(0.01)

        reason = REASONS[TOO_SLOW].encode()
        close_frame = bytes([0x88, 2 + len(reason)]) + struct.pack(">H", TOO_SLOW) + reason
        assert lazy.read_to_the_end().endswith(close_frame)
        until(
            lambda: dead.port not in connected_ports(process),
            "a reader who is gone still has its connection",
        )
        publisher.publish(topic, {"number": -1})
        assert orjson.loads(reader.recv(30))["number"] == -1


def test_a_reader_who_pauses_gets_the_latest_value_and_stays(server, cookie, topic, publisher):
    port, _ = server
    with LazyReader(port, cookie, topic) as lazy:
        time.sleep(0.5)
        for number in range(300):
            publisher.publish(topic, {"number": number, "filler": "x" * 60_000})

        data = b""
        while b'"number":299,' not in data:
            data = data[-50:] + lazy.socket.recv(1 << 20)
        publisher.publish(topic, {"number": 300})
        while b'"number":300' not in data:
            part = lazy.socket.recv(1 << 20)
            assert part, "the server has closed the connection"
            data = data[-50:] + part


def test_a_browser_without_a_session_is_told_4401(server):
    port, _ = server
    with browser(port, None) as stranger, pytest.raises(ConnectionClosed) as closed:
        stranger.recv(30)
    assert closed.value.rcvd.code == 4401


def test_a_page_of_another_site_cannot_connect(server, cookie):
    port, _ = server
    with pytest.raises(InvalidStatus) as refused:
        connect(
            f"ws://127.0.0.1:{port}/ws/stream/",
            origin="http://evil.example",
            additional_headers={"Cookie": cookie},
        )
    assert refused.value.response.status_code == 403


def test_a_server_that_is_told_to_stop_lets_its_readers_go(server, cookie, topic):
    port, process = server
    with browser(port, cookie) as reader:
        subscribe(reader, topic)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            reader.recv(30)
    assert closed.value.rcvd.code == 1012
    # uvicorn ends by the signal that it was told to stop by.
    assert process.wait(8) in (0, -signal.SIGTERM)
