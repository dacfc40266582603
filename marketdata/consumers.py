"""The topics of market data, for everybody who is logged in; the machinery's health for staff."""

from __future__ import annotations

import re
from typing import Final

from marketdata.domain.timeframe import Timeframe
from tcpdashboard.common.topics import TopicRule, staff

_EXCHANGE: Final = "[a-z0-9-]{1,32}"
_SYMBOL: Final = "[A-Za-z0-9-]{1,64}"
_TIMEFRAMES: Final = "|".join(Timeframe)

TOPICS: Final = (
    TopicRule(re.compile(f"candles:{_EXCHANGE}:{_SYMBOL}:({_TIMEFRAMES})")),
    TopicRule(re.compile(f"tickers:{_EXCHANGE}")),
    TopicRule(re.compile("collectors|gaps")),
    TopicRule(re.compile("health"), staff),
)
