"""Whether OKX can be reached is known in time, whatever answers."""

from __future__ import annotations

import socket
import threading
import time

from tcpdashboard.supervisor.probe import reaches_okx


def test_an_answer_that_trickles_in_is_not_waited_for():
    ended = threading.Event()

    def trickle(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
            while not ended.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        trickling = threading.Thread(target=trickle, args=(server,), daemon=True)
        trickling.start()
        started = time.monotonic()
        assert not reaches_okx(f"http://127.0.0.1:{server.getsockname()[1]}", 0.5)
        took_s = time.monotonic() - started
        ended.set()
        trickling.join(30)
    # As long as it trickles it would be read: for 500 s.
    assert took_s < 60
