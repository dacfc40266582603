"""What is known of a connection: whether a trade may have been missed since it began."""

from __future__ import annotations

from marketdata.domain.events import HoleCause


class Proof:
    """Begins connected, with nothing proven; `cause` is why a hole that opens now is one."""

    def __init__(self) -> None:
        self.is_proven = False
        self.cause = HoleCause.START
        self._is_connected = True
        self._page_id: int | None = None

    def disconnected(self) -> None:
        """Note that trades may be missed from now on."""
        self.is_proven, self._is_connected, self._page_id = False, False, None
        self.cause = HoleCause.OUTAGE

    def connected(self) -> None:
        """Note that trades come in again."""
        self._is_connected = True

    def pushed(self, newest_id: int, last_id: int | None) -> None:
        """Take note of trades of the socket up to `newest_id`; `last_id` is the last one known.

        They prove that none before them was missed, or have shown which were.
        """
        if self._is_connected and last_id is not None and newest_id >= last_id:
            self.is_proven, self.cause = True, HoleCause.LOSS

    def paged(self, newest_id: int, last_id: int | None) -> None:
        """Take note of a page of REST up to `newest_id`, which may be an old one.

        Only a second page that ends with the same trade proves that there is none after it.
        """
        if not self._is_connected or last_id is None or newest_id < last_id:
            return
        if self._page_id == newest_id:
            self.pushed(newest_id, last_id)
        self._page_id = newest_id
