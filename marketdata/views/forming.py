"""The candle that is still forming, as the collector published it last."""

from __future__ import annotations

import orjson
import structlog
from redis import RedisError

from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument
from marketdata.publishing import candles_topic
from tcpdashboard.common.realtime import shared_publisher

log = structlog.get_logger(__name__)


def forming_candle(instrument: Instrument, timeframe: Timeframe) -> list[float] | None:
    """Return open time in milliseconds, open, high, low, close and volume of the running candle.

    None when the last one that was told has closed, none was, or Redis does not answer.
    """
    topic = candles_topic(instrument.exchange, instrument.symbol, timeframe)
    try:
        message = shared_publisher().latest(topic)
    except RedisError as error:
        log.warning("forming_candle_unknown", topic=topic, error=str(error))
        return None
    if message is None:
        return None
    *candle, is_closed = orjson.loads(message.payload)["candle"]
    return None if is_closed else candle
