"""A worker's turn: it claims gaps that are due and repairs them one after another."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, InternalError, OperationalError

from marketdata.collector.errors import ExchangeRefused, ExchangeUnavailable
from marketdata.collector.ports import History
from marketdata.domain.errors import MarketDataError
from marketdata.exchanges import open_history
from marketdata.models import DataGap, GapState
from marketdata.repair.claims import (
    Claim,
    claim_next,
    finish,
    give_up,
    hand_back,
    postpone,
    renew,
)
from marketdata.repair.fetching import OutOfTime, Work
from marketdata.repair.telling import tell_gaps
from marketdata.repair.verdicts import Verdict, attempt
from tcpdashboard.common.dbthread import DatabaseThread
from tcpdashboard.common.shutdown import SHUTDOWN

TURN_S: Final = 60.0
"""After this a worker hands its gap back, with what it has, so that others get their turn."""

log = structlog.get_logger(__name__)


def repair_gaps(exchange: str, stop: threading.Event = SHUTDOWN) -> int:
    """Repair gaps of `exchange` until none is due or this worker's time is over.

    Returns how many were tried. Any number of workers may do this at once; a gap is repaired by
    one of them.
    """
    database, lease = DatabaseThread("repair"), DatabaseThread("repair-lease")
    try:
        return asyncio.run(_repair_all(exchange, database, lease, stop))
    finally:
        database.close()
        lease.close()


async def _repair_all(
    exchange: str, database: DatabaseThread, lease: DatabaseThread, stop: threading.Event
) -> int:
    claim = await database.run(claim_next, exchange)
    if claim is None:
        return 0
    end_s, tried = time.monotonic() + TURN_S, 0

    def is_over() -> bool:
        return stop.is_set() or time.monotonic() > end_s

    async with open_history(exchange) as history:
        while claim is not None:
            await _Repair(claim, history, database, lease, is_over).run()
            tried += 1
            claim = None if is_over() else await database.run(claim_next, exchange)
    await database.run(tell_gaps)
    return tried


class _Repair:
    """One attempt at one gap, under its claim."""

    def __init__(
        self,
        claim: Claim,
        history: History,
        database: DatabaseThread,
        lease: DatabaseThread,
        is_over: Callable[[], bool],
    ) -> None:
        self._claim, self._history, self._is_over = claim, history, is_over
        self._database, self._lease = database, lease
        self._log = log.bind(gap=claim.gap_id)

    async def run(self) -> None:
        """Work until the attempt ends or the lease is lost; everything it found stays stored."""
        working = asyncio.create_task(self._work(), name="repair")
        renewing = asyncio.create_task(self._renew(), name="renew")
        await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
        for task in (working, renewing):
            task.cancel()
        for result in await asyncio.gather(working, renewing, return_exceptions=True):
            if isinstance(result, Exception):
                self._log.error("repair_failed", error=f"{type(result).__name__}: {result}")

    async def _work(self) -> None:
        """Do one attempt and write its verdict. What cannot be written is left to the lease."""
        gap = await self._database.run(
            DataGap.objects.select_related("instrument").get, pk=self._claim.gap_id
        )
        try:
            now_ms = await self._history.server_time_ms()
            work = Work(gap, gap.instrument, self._history, self._database, now_ms, self._is_over)
            verdict = await attempt(work)
        except OutOfTime:
            await self._database.run(hand_back, self._claim)
        except ExchangeUnavailable as error:
            await self._later(f"the exchange does not answer: {error}", is_counted=False)
        except (ExchangeRefused, MarketDataError) as error:
            await self._decide(gap, Verdict(reason=str(error)))
        except (OperationalError, InterfaceError, InternalError) as error:
            await self._later(f"the database does not answer: {error}", is_counted=False)
        except Exception as error:
            # One gap that nobody foresaw must not keep its worker from all others.
            self._log.exception("repair_broke")
            await self._decide(gap, Verdict(reason=f"{type(error).__name__}: {error}"))
        else:
            await self._decide(gap, verdict)

    async def _decide(self, gap: DataGap, verdict: Verdict) -> None:
        if verdict.filled_with:
            await self._database.run(
                finish,
                self._claim,
                GapState.REPAIRED,
                reason=verdict.reason,
                filled_with=verdict.filled_with,
            )
            self._log.info("gap_repaired", name=str(gap), with_=verdict.filled_with)
        elif verdict.is_final or (
            verdict.is_answered
            and not verdict.is_bridged
            and gap.attempts + 1 >= settings.REPAIR_ATTEMPTS
        ):
            await self._database.run(give_up, self._claim, verdict.reason, gap.attempts + 1)
            self._log.warning("gap_unrepairable", name=str(gap), reason=verdict.reason)
        else:
            await self._later(verdict.reason, is_counted=verdict.is_answered)

    async def _later(self, reason: str, *, is_counted: bool) -> None:
        await self._database.run(postpone, self._claim, reason, is_counted=is_counted)
        self._log.info("gap_tried_again_later", reason=reason)

    async def _renew(self) -> None:
        """Keep the lease; end when it is lost. A database that is away is asked again."""
        while True:
            await asyncio.sleep(settings.REPAIR_LEASE_SECONDS / 4)
            with contextlib.suppress(DatabaseError):
                if not await self._lease.run(renew, self._claim):
                    self._log.warning("repair_lost_its_gap")
                    return
