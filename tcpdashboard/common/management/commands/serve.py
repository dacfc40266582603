"""Serve pages, REST and sockets."""

from __future__ import annotations

import socket
from typing import Any

import uvicorn
from django.core.management.base import BaseCommand, CommandParser

# A browser's longest message is a list of topics.
LARGEST_MESSAGE_BYTES = 65_536
SHUTDOWN_S = 3


class Command(BaseCommand):
    help = "Serve pages, REST and sockets with uvicorn."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--fd", type=int, help="a listening socket that was passed on")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        config = uvicorn.Config(
            "tcpdashboard.asgi:application",
            host=options["host"],
            port=options["port"],
            # Compression costs a connection 300 kB and the server most of its fan-out.
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ws_max_size=LARGEST_MESSAGE_BYTES,
            # Django's application knows no lifespan: without asking, no log says so.
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
        given = options["fd"]
        sockets = None if given is None else [socket.socket(fileno=given)]
        uvicorn.Server(config).run(sockets)
