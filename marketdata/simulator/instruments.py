"""What the simulated exchange lists, and the rows of /public/instruments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from marketdata.simulator import decimals

LISTED_MINUTE: Final = 1024 * 25_156
"""All instruments are listed since this minute of the epoch (2018-12-23 17:04 UTC)."""

MOST_LISTED: Final = 999


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument. Prices are integers of 10^-price_digits, sizes of 10^-size_digits.

    `minimum` is the smallest order in units of size; `contract` the value of one contract (0 for
    spot) in units of 10^-4 of base currency, or of whole quote currency for an inverse swap.
    The last five figures shape the seeded market: price at the start in quote currency, matches
    a minute, standard deviation of a day's return, median trade in quote currency, and how many
    of the matches come in every minute whatever the mood, so that a busy market never falls silent.
    """

    symbol: str
    price_digits: int
    size_digits: int
    minimum: int
    contract: int = 0
    is_inverse: bool = False
    start_price: float = 100.0
    matches_a_minute: float = 1.0
    daily_volatility: float = 0.03
    median_trade: float = 120.0
    steady_matches: float = 0.0

    @property
    def kind(self) -> str:
        """The exchange's instType."""
        return "SWAP" if self.contract else "SPOT"

    @property
    def base(self) -> str:
        return self.symbol.split("-")[0]

    @property
    def quote(self) -> str:
        return self.symbol.split("-")[1]

    @property
    def contract_text(self) -> str:
        """The exchange's ctVal."""
        if not self.contract:
            return ""
        return str(self.contract) if self.is_inverse else decimals.text(self.contract, 4)

    def price(self, ticks: int) -> str:
        return decimals.text(ticks, self.price_digits)

    def size(self, lots: int) -> str:
        return decimals.text(lots, self.size_digits)

    def row(self) -> dict[str, object]:
        """Return the row of /public/instruments, in the field set of 2026."""
        return {
            **_COMMON_FIELDS,
            "instId": self.symbol,
            "instType": self.kind,
            "instIdCode": sum(map(ord, self.symbol)),
            "tickSz": decimals.text(1, self.price_digits),
            "lotSz": decimals.text(1, self.size_digits),
            "minSz": self.size(self.minimum),
            "listTime": str(LISTED_MINUTE * 60_000),
            **(self._swap_fields() if self.contract else self._spot_fields()),
        }

    def _spot_fields(self) -> dict[str, object]:
        return {"baseCcy": self.base, "quoteCcy": self.quote, "tradeQuoteCcyList": [self.quote]}

    def _swap_fields(self) -> dict[str, object]:
        return {
            "uly": f"{self.base}-{self.quote}",
            "instFamily": f"{self.base}-{self.quote}",
            "settleCcy": self.base if self.is_inverse else self.quote,
            "ctVal": self.contract_text,
            "ctMult": "1",
            "ctValCcy": self.quote if self.is_inverse else self.base,
            "ctType": "inverse" if self.is_inverse else "linear",
            "lever": "100",
        }


_EMPTY: Final = (
    "alias",
    "auctionEndTime",
    "baseCcy",
    "contTdSwTime",
    "ctMult",
    "ctType",
    "ctVal",
    "ctValCcy",
    "expTime",
    "instFamily",
    "optType",
    "preMktSwTime",
    "quoteCcy",
    "settleCcy",
    "stk",
    "uly",
)
_COMMON_FIELDS: Final[dict[str, object]] = {
    **dict.fromkeys(_EMPTY, ""),
    "category": "1",
    "futureSettlement": False,
    "groupId": "1",
    "instCategory": "1",
    "lever": "10",
    "maxIcebergSz": "9999999999",
    "maxLmtAmt": "20000000",
    "maxLmtSz": "9999999999",
    "maxMktAmt": "1000000",
    "maxMktSz": "1000000",
    "maxStopSz": "1000000",
    "maxTriggerSz": "9999999999",
    "maxTwapSz": "9999999999",
    "openType": "",
    "ruleType": "normal",
    "state": "live",
    "tradeQuoteCcyList": [],
    "upcChg": [],
}


def _spot(symbol: str, price_digits: int, size_digits: int, minimum: int) -> Instrument:
    return Instrument(symbol, price_digits, size_digits, minimum)


def _swap(symbol: str, price_digits: int, size_digits: int, contract: int) -> Instrument:
    return Instrument(symbol, price_digits, size_digits, 1, contract)


def _shaped(
    instrument: Instrument, price: float, matches: float, volatility: float, median: float
) -> Instrument:
    return replace(
        instrument,
        start_price=price,
        matches_a_minute=matches,
        daily_volatility=volatility,
        median_trade=median,
    )


INSTRUMENTS: Final = (
    replace(
        _shaped(_spot("BTC-USDT", 1, 8, 1000), 61_800.0, 144.0, 0.02, 150.0), steady_matches=64.0
    ),
    _shaped(_spot("ETH-USDT", 2, 6, 100), 2_650.0, 64.0, 0.026, 120.0),
    _shaped(_spot("SOL-USDT", 2, 6, 1000), 152.0, 32.0, 0.034, 120.0),
    _shaped(_spot("XRP-USDT", 4, 6, 1_000_000), 0.58, 12.0, 0.03, 120.0),
    _shaped(_spot("DOGE-USDT", 5, 6, 10_000_000), 0.105, 4.0, 0.036, 90.0),
    _shaped(_spot("LTC-USDT", 2, 6, 1000), 66.0, 0.75, 0.03, 120.0),
    _shaped(_swap("BTC-USDT-SWAP", 1, 2, 100), 61_800.0, 128.0, 0.02, 900.0),
    _shaped(_swap("ETH-USDT-SWAP", 2, 2, 1000), 2_650.0, 72.0, 0.026, 600.0),
    replace(_shaped(_swap("BTC-USD-SWAP", 1, 0, 100), 61_800.0, 8.0, 0.02, 300.0), is_inverse=True),
)


def listed(count: int) -> tuple[Instrument, ...]:
    """Return so many instruments: the usual ones, then A001-USDT and so on, of a quiet market.

    Raises ValueError for a number that no exchange lists.
    """
    if not 1 <= count <= MOST_LISTED:
        raise ValueError(f"expected 1 to {MOST_LISTED} instruments, was {count}")
    others = (
        _shaped(_spot(f"A{number:03}-USDT", 4, 4, 1), 1.0 + number, 30.0, 0.03, 120.0)
        for number in range(1, count - len(INSTRUMENTS) + 1)
    )
    return (*INSTRUMENTS[:count], *others)


def tape_instrument(symbol: str, price_digits: int, size_digits: int) -> Instrument:
    """Return the listed instrument, made as fine as a tape needs, or a spot one of that name.

    Raises ValueError for a symbol that is neither listed nor of the form BASE-QUOTE.
    """
    for known in INSTRUMENTS:
        if known.symbol == symbol:
            return _refined(known, price_digits, size_digits)
    if symbol.count("-") != 1:
        choices = ", ".join(known.symbol for known in INSTRUMENTS)
        raise ValueError(f"expected BASE-QUOTE or one of {choices}; was {symbol!r}")
    return Instrument(symbol, price_digits, size_digits, 1)


def _refined(known: Instrument, price_digits: int, size_digits: int) -> Instrument:
    extra = max(0, size_digits - known.size_digits)
    return replace(
        known,
        price_digits=max(price_digits, known.price_digits),
        size_digits=known.size_digits + extra,
        minimum=known.minimum * 10**extra,
    )
