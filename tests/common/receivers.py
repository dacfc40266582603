"""A web server and a mail server on loopback that keep what they are sent."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class WebReceiver:
    """Answers every POST with `answer` (status, text); `got` has (path, headers, body)."""

    def __init__(self):
        self.got, self.answer, self.location = [], (200, "thanks"), None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, dict(self.headers), body))
                status, text = receiver.answer
                self.send_response(status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]

    @contextmanager
    def running(self):
        with _serving(self._server):
            yield self


class MailReceiver:
    """Speaks as much SMTP as a client needs; `got` has the mails as they came."""

    def __init__(self):
        self.got, self.refusal = [], ""
        receiver = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self._say("220 here")
                while line := self.rfile.readline().decode().strip():
                    if not self._answer(line.upper()):
                        return

            def _answer(self, line):
                if line.startswith("DATA"):
                    self._say("354 go on")
                    receiver.got.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                elif line.startswith("RCPT") and receiver.refusal:
                    self._say(receiver.refusal)
                    return True
                self._say("221 bye" if line == "QUIT" else "250 well")
                return line != "QUIT"

            def _say(self, text):
                self.wfile.write(f"{text}\r\n".encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    @contextmanager
    def running(self):
        with _serving(self._server):
            yield self


@contextmanager
def _serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
