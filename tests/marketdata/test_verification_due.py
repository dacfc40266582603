"""Which minutes that differ from the exchange's are fetched again, and when."""

from __future__ import annotations

import pytest
from django.db import connection

from marketdata.domain.records import Source
from marketdata.models import CandleConflict
from marketdata.storage.conflicts import record_conflicts
from marketdata.verification.due import due_conflicts, note_tried
from tests.marketdata.storage.builders import DAY, make_instrument, minutes

pytestmark = pytest.mark.django_db


def differ(instrument, ours, theirs):
    kind, theirs = CandleConflict.Kind.EXCHANGE, minutes(DAY, [theirs], source=Source.EXCHANGE)
    with connection.cursor() as cursor:
        record_conflicts(cursor, instrument.pk, kind, minutes(DAY, [ours]), theirs)


def due():
    return len(due_conflicts("okx", 9))


def test_a_minute_that_differs_otherwise_than_before_is_fetched_again_at_once():
    instrument = make_instrument()
    differ(instrument, 100.0, 101.0)
    assert due() == 1
    note_tried(CandleConflict.objects.get())
    assert due() == 0
    differ(instrument, 100.0, 101.0)
    assert due() == 0, "nothing is new"
    differ(instrument, 102.0, 101.0)
    assert due() == 1
    assert CandleConflict.objects.get().attempts == 0
