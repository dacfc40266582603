"""Topics in Redis: the latest message of each is kept, and every message is published once.

A topic is a name such as `candles:okx:BTC-USDT:1m`. Its messages carry an `epoch`, which changes
when Redis lost the topic's state, and a `seq`, which rises by one within an epoch. They are hints:
whoever misses one reads the latest again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

import orjson
import structlog
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

TIMEOUT_S: Final = 1.0
KEPT_MS: Final = 86_400_000

# Keeps and publishes in one step, so that whoever subscribes first and reads the kept message
# afterwards misses nothing. A hole in `seq` (ARGV[2] > 1) tells readers that something is missing.
_PUBLISH: Final = """
local kept = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
local epoch = kept[1] or ARGV[1]
local seq = string.format('%d', (tonumber(kept[2]) or 0) + tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'epoch', epoch, 'seq', seq, 'payload', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PUBLISH', ARGV[5], epoch .. ' ' .. seq .. ' ' .. ARGV[6] .. ' ' .. ARGV[3])
return tonumber(seq)
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Draft:
    """A message before it is published.

    `is_final` marks a value that no later one may replace on its way, such as a candle's closing
    update. `skipped` counts values of the topic that were given up before this one.
    """

    topic: str
    payload: Mapping[str, Any]
    is_final: bool = False
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """A published message; `payload` is the JSON text of an object.

    `seq` 0 and no epoch stand for a topic on which nothing is kept.
    """

    topic: str
    epoch: str
    seq: int
    payload: str
    is_final: bool = False

    def follows(self, earlier: Message) -> bool:
        """Return whether nothing lies between `earlier` and this message."""
        is_same_epoch = self.epoch == earlier.epoch or earlier.seq == 0
        return is_same_epoch and self.seq == earlier.seq + 1

    def is_newer(self, than: Message) -> bool:
        """Return whether this message came later; another epoch is always taken as later."""
        return self.epoch != than.epoch or self.seq > than.seq

    def text(self, kind: str) -> str:
        """Return the message as browsers get it; `kind` is snapshot, update or merged."""
        body = self.payload[1:]
        comma = "" if body == "}" else ","
        head = f'"topic":"{self.topic}","epoch":"{self.epoch}","seq":{self.seq},"type":"{kind}"'
        return f"{{{head}{comma}{body}"


class TopicPublisher:
    """Publishes to topics, from any thread."""

    def __init__(self, redis_url: str, timeout_s: float = TIMEOUT_S) -> None:
        # One repetition, for a kept connection that the server has closed; never after a timeout.
        self._redis = Redis.from_url(
            redis_url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        self._database = database_of(self._redis.connection_pool.connection_kwargs)

    def publish(self, topic: str, payload: Mapping[str, Any], final: bool = False) -> int:
        """Publish one message and return its seq. Raises redis.RedisError within 1 s or so."""
        return self.publish_many([Draft(topic, payload, final)])[0]

    def publish_many(self, drafts: Iterable[Draft]) -> list[int]:
        """Publish in order, in one round trip, and return the seqs. Raises redis.RedisError."""
        pipeline = self._redis.pipeline(transaction=False)
        for draft in drafts:
            pipeline.eval(
                _PUBLISH,
                1,
                key_of(draft.topic),
                secrets.token_hex(4),
                str(1 + draft.skipped),
                orjson.dumps(draft.payload, option=orjson.OPT_SERIALIZE_NUMPY),
                str(KEPT_MS),
                channel_of(draft.topic, self._database),
                "1" if draft.is_final else "0",
            )
        return cast("list[int]", pipeline.execute())

    def latest(self, topic: str) -> Message | None:
        """Return the topic's kept message. Raises redis.RedisError."""
        kept = cast("list[bytes | None]", self._redis.hmget(key_of(topic), KEPT_FIELDS))
        return kept_message(topic, kept)

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()


@cache
def shared_publisher() -> TopicPublisher:
    """Return this process's publisher for occasional messages."""
    return TopicPublisher(settings.REDIS_URL)


def notify(topic: str, payload: Mapping[str, Any], final: bool = False) -> bool:
    """Publish a hint and return whether it went out; never raises, blocks for 1 s at most or so."""
    try:
        shared_publisher().publish(topic, payload, final)
    except RedisError as error:
        log.warning("a message was not published", topic=topic, error=str(error))
        return False
    return True


KEPT_FIELDS: Final = ["epoch", "seq", "payload"]


def key_of(topic: str) -> str:
    """Return the name of the hash that keeps the topic's latest message."""
    return f"rt:{topic}"


def channel_of(topic: str, database: int) -> str:
    """Return the pub/sub channel; Redis shares channels between databases, so it is in the name."""
    return f"rt:{database}:{topic}"


def database_of(connection_kwargs: Mapping[str, Any]) -> int:
    """Return the number of the Redis database that a connection pool uses."""
    return int(connection_kwargs.get("db") or 0)


def nothing_kept(topic: str) -> Message:
    """Return what stands for a topic without a message."""
    return Message(topic, epoch="", seq=0, payload="{}")


def kept_message(topic: str, kept: list[bytes | None]) -> Message | None:
    """Return the message of a hash read with KEPT_FIELDS, None when nothing is kept."""
    epoch, seq, payload = kept
    if epoch is None or seq is None or payload is None:
        return None
    return Message(topic, epoch.decode(), int(seq), payload.decode())


def published_message(topic: str, data: bytes) -> Message:
    """Return the message of one publication on the topic's channel."""
    epoch, seq, final, payload = data.split(b" ", 3)
    return Message(topic, epoch.decode(), int(seq), payload.decode(), final == b"1")
