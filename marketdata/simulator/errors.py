"""The exchange's refusals."""

from __future__ import annotations


class Refusal(Exception):
    """A request is answered with this code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def empty_parameter(name: str) -> Refusal:
    return Refusal("50014", f"Parameter {name} can not be empty", 400)


def wrong_parameter(name: str) -> Refusal:
    return Refusal("51000", f"Parameter {name} error", 400)


def unknown_instrument() -> Refusal:
    return Refusal("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
