"""The map of WebSockets and the list of all topics."""

from __future__ import annotations

from typing import Final

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path, re_path

from backtests.searching import publishing as backtests
from bots import consumers as bots
from marketdata import consumers as marketdata
from tcpdashboard.common.alerts import telling as alerts
from tcpdashboard.common.consumers import StreamApplication
from tcpdashboard.common.jobs import progress as jobs
from tcpdashboard.common.sockets import no_such_socket, with_wire
from tcpdashboard.common.topics import TopicRegistry

TOPICS: Final = TopicRegistry(
    [*marketdata.TOPICS, *backtests.TOPICS, *bots.TOPICS, *jobs.TOPICS, *alerts.TOPICS]
)

websocket_urlpatterns = [
    path("ws/stream/", AuthMiddlewareStack(StreamApplication(TOPICS))),
    re_path("", no_such_socket),  # type: ignore[arg-type]
]

websocket_application = with_wire(AllowedHostsOriginValidator(URLRouter(websocket_urlpatterns)))
