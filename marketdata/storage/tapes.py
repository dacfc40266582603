"""The ids of stored trades looked through for holes: the new ones, and days that changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import connection, transaction
from django.db.models.functions import Now
from psycopg2 import sql

from marketdata.domain.gaps import IdHole, Stretch, covered_ids, id_holes, joined, without
from marketdata.domain.records import TRADE_DTYPE, Trades
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS
from marketdata.models import DataGap, GapState, Instrument, TapeScan, from_ms, to_ms
from marketdata.storage.copying import INT4, INT8, Rows, copy_out, milliseconds, row_layout
from marketdata.storage.findings import FILLED, Findings, note_id_holes
from marketdata.storage.locks import lock_instrument
from marketdata.storage.merged import note_merged
from marketdata.storage.merging import differs
from marketdata.storage.proving import Span, judged_minutes
from marketdata.storage.writing import store_minutes

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_BLOCK_ROWS: Final = 200_000
_PROOF_ROWS: Final = 1_000
# Ids rise with time but for a few milliseconds: a row as far away as this belongs elsewhere.
_MARGIN_MS: Final = MINUTE_MS
_REASON: Final = "hole found by the scan"

_IDS: Final = row_layout({"executed_at": INT8, "trade_id": INT8, "count": INT4})

_UNORDERED: Final = sql.SQL("")
_IN_BLOCKS: Final = sql.SQL("order by executed_at, trade_id limit {}").format(
    sql.Literal(_BLOCK_ROWS)
)

_COVERING: Final = """
select executed_at from marketdata_trade
where instrument_id = %s and executed_at >= %s and executed_at < %s
    and trade_id >= %s and trade_id - count < %s limit 1
"""

_BEFORE: Final = """
select trade_id, (extract(epoch from executed_at) * 1000)::bigint from marketdata_trade
where instrument_id = %s and executed_at < %s order by executed_at desc, trade_id desc limit 1
"""


def scan_tape(instrument: Instrument, changed: list[Stretch]) -> Findings:
    """Bring the instrument's gaps of trades, and of merged ones, in line with what is stored.

    Goes on where the last scan ended, remembering how far it is after every block, and looks
    again at those of the days `changed` that lie before that. While the id rule is suspended
    nothing is opened; gaps whose trades are all there are closed in any case.
    """
    findings = Findings(closed=_close_filled(instrument))
    scan = TapeScan.objects.filter(instrument=instrument).first()
    front_ms = 0 if scan is None else to_ms(scan.executed_at)
    front_day_ms = front_ms // DAY_MS * DAY_MS
    for start_ms, end_ms in changed:
        if start_ms < front_day_ms:
            bounds = start_ms, min(end_ms, front_day_ms)
            for block in _blocks(instrument, *bounds):
                findings += _look(instrument, block) + note_merged(instrument, block)
    for block in _blocks(instrument, front_ms, None):
        findings += _look(instrument, block) + note_merged(instrument, block)
        _remember(instrument, block)
    return findings


def missing_of(cursor: CursorWrapper, gap: DataGap) -> list[Stretch]:
    """Return the stretches [first, last + 1) of a gap's ids that are not stored, ascending."""
    first_id, last_id = _rest_of(gap)
    covered: list[Stretch] = []
    start_ms, end_ms = _times_of(gap)
    while True:
        rows = _select_ids(
            cursor,
            gap.instrument_id,
            start_ms,
            end_ms,
            sql.SQL("trade_id >= {} and trade_id - count < {}").format(
                sql.Literal(first_id), sql.Literal(last_id)
            ),
            _IN_BLOCKS,
        )
        covered = joined([*covered, *covered_ids(rows)])
        if len(rows) < _BLOCK_ROWS:
            return without([(first_id, last_id + 1)], covered)
        start_ms = max(start_ms + 1, int(rows["time_ms"][-1]))


def note_rest(cursor: CursorWrapper, gap: DataGap, missing: list[Stretch]) -> None:
    """Remember up to which id something of a gap is `missing`: a repair goes back from the newest.

    What is stored behind that is not looked at again, however much it is.
    """
    if missing and missing[-1][1] <= _rest_of(gap)[1]:
        start_ms, end_ms = map(from_ms, _times_of(gap))
        ids = missing[-1][1], missing[-1][1]
        cursor.execute(_COVERING, [gap.instrument_id, start_ms, end_ms, *ids])
        found = cursor.fetchone()
        if found is not None:
            gap.rest_last_id, gap.rest_end = missing[-1][1] - 1, found[0]
            gap.save(update_fields=["rest_last_id", "rest_end"])


def _rest_of(gap: DataGap) -> Stretch:
    """Return the first and the last id of a gap of which it is not known that they are stored."""
    first_id, last_id = gap.ids
    return first_id, last_id if gap.rest_last_id is None else gap.rest_last_id


def _times_of(gap: DataGap) -> Stretch:
    """Return between which times trades of the rest of a gap may lie, in ms."""
    end = gap.end if gap.rest_end is None else gap.rest_end
    return to_ms(gap.start) - _MARGIN_MS, to_ms(end) + _MARGIN_MS


def do_ids_follow(instrument: Instrument, since_ms: int) -> bool:
    """Return whether the newest thousand trades since a time have ids without a hole."""
    with connection.cursor() as cursor:
        newest = sql.SQL("order by executed_at desc, trade_id desc limit {}")
        rows = _select_ids(
            cursor,
            instrument.pk,
            since_ms,
            None,
            sql.SQL("true"),
            newest.format(sql.Literal(_PROOF_ROWS)),
        )
    ordered = rows[np.argsort(rows["trade_id"], kind="stable")]
    return len(rows) == _PROOF_ROWS and not id_holes(ordered)


def _close_filled(instrument: Instrument) -> int:
    """Close the gaps whose trades have all come by another way."""
    # An open one still waits for its minutes, which its repair builds again.
    gaps = instrument.gaps.filter(
        kind=DataGap.Kind.TRADES, state=GapState.UNREPAIRABLE, first_trade_id__gt=0
    )
    return sum(_close_one(gap) for gap in gaps)


def _close_one(gap: DataGap) -> int:
    with connection.cursor() as cursor:
        start_ms, end_ms = map(from_ms, _times_of(gap))
        ids = _rest_of(gap)[1], _rest_of(gap)[1]
        # Its last id first: while that is missing, nothing else needs to be read.
        cursor.execute(_COVERING, [gap.instrument_id, start_ms, end_ms, *ids])
        if cursor.fetchone() is None or missing_of(cursor, gap):
            return 0
    own = DataGap.objects.filter(pk=gap.pk, state=GapState.UNREPAIRABLE)
    return own.move(GapState.REPAIRED, reason=FILLED, filled_with="trades")


def _look(instrument: Instrument, trades: Trades) -> Findings:
    """Open gaps for the holes between `trades` that are still holes with the store locked."""
    candidates = id_holes(trades[np.argsort(trades["trade_id"], kind="stable")])
    if not candidates or instrument.id_rule_suspended_at is not None:
        return Findings()
    with transaction.atomic(), connection.cursor() as cursor:
        lock_instrument(cursor, instrument.pk)
        holes = [hole for one in candidates for hole in _confirmed(cursor, instrument.pk, one)]
        findings = note_id_holes(instrument, holes)
        for gap in findings.opened:
            span = Span(to_ms(gap.start), to_ms(gap.end))
            judged = judged_minutes(cursor, instrument, span, span.before_ms)
            flagged = judged[judged["minutes"] == 0]
            store_minutes(cursor, instrument, flagged, _REASON, differs)
    return findings


def _confirmed(cursor: CursorWrapper, instrument_id: int, hole: IdHole) -> list[IdHole]:
    """Return what of `hole` no row covers, those beyond the edges of its block included."""
    first_ms, last_ms = sorted((hole.after_ms, hole.before_ms))
    trades = _select_ids(
        cursor,
        instrument_id,
        first_ms - _MARGIN_MS,
        last_ms + _MARGIN_MS,
        sql.SQL("trade_id >= {} and trade_id - count < {}").format(
            sql.Literal(hole.first_id - 1), sql.Literal(hole.last_id + 1)
        ),
        _UNORDERED,
    )
    return id_holes(trades[np.argsort(trades["trade_id"], kind="stable")])


def _blocks(instrument: Instrument, start_ms: int, end_ms: int | None) -> Iterator[Trades]:
    """Yield the ids stored in [start_ms, end_ms) block by block, each with the row before it."""
    with connection.cursor() as cursor:
        before = _row_before(cursor, instrument.pk, start_ms)
        while True:
            rows = _select_block(cursor, instrument.pk, start_ms, end_ms)
            if not len(rows):
                return
            yield np.concatenate([before, rows])
            if len(rows) < _BLOCK_ROWS:
                return
            before = rows[[int(np.argmax(rows["trade_id"]))]]
            start_ms = int(rows["time_ms"][-1])


def _remember(instrument: Instrument, block: Trades) -> None:
    place = {
        "trade_id": int(block["trade_id"].max()),
        "executed_at": from_ms(int(block["time_ms"].max())),
        "scanned_at": Now(),
    }
    TapeScan.objects.update_or_create(instrument=instrument, defaults=place)


def _row_before(cursor: CursorWrapper, instrument_id: int, start_ms: int) -> Trades:
    cursor.execute(_BEFORE, [instrument_id, from_ms(start_ms)])
    found = cursor.fetchall()
    rows = np.zeros(len(found), dtype=TRADE_DTYPE)
    for row, (trade_id, time_ms) in enumerate(found):
        rows[row]["trade_id"], rows[row]["time_ms"], rows[row]["count"] = trade_id, time_ms, 1
    return rows


def _select_block(
    cursor: CursorWrapper, instrument_id: int, start_ms: int, end_ms: int | None
) -> Trades:
    return _select_ids(
        cursor,
        instrument_id,
        start_ms,
        end_ms,
        sql.SQL("true"),
        _IN_BLOCKS,
    )


def _select_ids(
    cursor: CursorWrapper,
    instrument_id: int,
    start_ms: int,
    end_ms: int | None,
    condition: sql.Composable,
    order: sql.Composable,
) -> Trades:
    until: sql.Composable = sql.SQL("true")
    if end_ms is not None:
        until = sql.SQL("executed_at < {}").format(sql.Literal(from_ms(end_ms)))
    query = sql.SQL(
        "select executed_at, trade_id, count from marketdata_trade"
        " where instrument_id = {instrument} and executed_at >= {start} and {until}"
        " and {condition} {order}"
    ).format(
        instrument=sql.Literal(instrument_id),
        start=sql.Literal(from_ms(start_ms)),
        until=until,
        condition=condition,
        order=order,
    )
    return copy_out(cursor, _IDS, query, _ids_of)


def _ids_of(rows: Rows) -> Trades:
    trades = np.zeros(len(rows), dtype=TRADE_DTYPE)
    trades["time_ms"] = milliseconds(rows["executed_at"])
    trades["trade_id"], trades["count"] = rows["trade_id"], rows["count"]
    return trades
