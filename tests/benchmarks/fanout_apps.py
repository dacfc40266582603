"""What the fan-out is measured against: the ceiling of the server, and Channels as it comes."""

from __future__ import annotations

import asyncio
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tcpdashboard.settings")

import django

django.setup()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402
from redis.asyncio import Redis  # noqa: E402

CHANNEL = "bench-plain"
GROUP = "bench-channels"

# Nothing else uses a channel layer; the project's settings have none.
settings.CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": settings.REDIS_URL, "socket_timeout": None}]},
    }
}

_sockets: set[Any] = set()
_tasks: set[asyncio.Task[None]] = set()


async def _forward() -> None:
    async with Redis.from_url(os.environ["REDIS_URL"]).pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        async for message in pubsub.listen():
            if message["type"] == "message":
                event = {"type": "websocket.send", "text": message["data"].decode()}
                for send in tuple(_sockets):
                    await send(event)


async def plain(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Forward every message to every socket: no user, no topics, and one slow client stops all."""
    if scope["type"] != "websocket":
        return
    if not _tasks:
        _tasks.add(asyncio.create_task(_forward()))
        await asyncio.sleep(0.2)
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": '{"type":"snapshot"}'})
    _sockets.add(send)
    while (await receive())["type"] != "websocket.disconnect":
        pass
    _sockets.discard(send)


class StockConsumer(AsyncWebsocketConsumer):
    """A Channels consumer by the book: one group, the pub/sub layer."""

    async def connect(self) -> None:
        assert self.scope["user"].is_authenticated
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()
        await self.send('{"type":"snapshot"}')

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def bench_message(self, event: dict[str, Any]) -> None:
        await self.send(event["text"])


_stock = AllowedHostsOriginValidator(AuthMiddlewareStack(StockConsumer.as_asgi()))


async def channels(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve StockConsumer behind the same checks as ours."""
    if scope["type"] == "websocket":
        await _stock(scope, receive, send)
