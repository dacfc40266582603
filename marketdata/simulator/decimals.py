"""Integers of a decimal scale to and from the plain strings the exchange sends."""

from __future__ import annotations


def text(units: int, digits: int) -> str:
    """Return units x 10^-digits without exponent and without trailing zeros."""
    if digits <= 0:
        return str(units * 10**-digits)
    sign, units = ("-", -units) if units < 0 else ("", units)
    whole, rest = divmod(units, 10**digits)
    if not rest:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{rest:0{digits}d}".rstrip("0")


def digits_of(number: str) -> int:
    """Return how many decimals `number` needs, trailing zeros apart."""
    _, _, decimals = number.partition(".")
    return len(decimals.rstrip("0"))


def units(number: str, digits: int) -> int:
    """Return `number` as an integer of 10^-digits.

    Raises ValueError when it is no plain decimal or has more decimals than `digits`.
    """
    whole, _, decimals = number.strip().partition(".")
    decimals = decimals.rstrip("0")
    if len(decimals) > digits:
        raise ValueError(f"expected at most {digits} decimals, was {number!r}")
    joined = (whole or "0") + decimals.ljust(digits, "0")
    if not joined.lstrip("-").isdigit():
        raise ValueError(f"expected a plain decimal number, was {number!r}")
    return int(joined)
