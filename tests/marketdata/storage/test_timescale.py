"""What is done where the server has no TimescaleDB, or one that cannot be used."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from marketdata.storage.hypertables import HYPERTABLES, slices
from marketdata.storage.timescale import Timescale, is_hypertable

USABLE = Timescale(None, "2.23.0-dev", is_preloaded=True, may_create=True)


@pytest.mark.django_db
def test_plain_postgresql_keeps_plain_tables_and_ignores_the_extensions_settings():
    assert not any(is_hypertable(one.table) for one in HYPERTABLES)
    with connection.cursor() as cursor:
        cursor.execute("show timescaledb.max_tuples_decompressed_per_dml_transaction")
        assert cursor.fetchone() == ("0",)


@pytest.mark.django_db
def test_the_conversion_refuses_without_the_extension():
    with pytest.raises(CommandError, match="does not have the extension timescaledb"):
        call_command("convert_to_timescale", "--dry-run")


@pytest.mark.parametrize(
    ("server", "wish", "reason"),
    [
        (USABLE, "auto", None),
        (USABLE, "off", "TCPD_TIMESCALE is off"),
        (Timescale(None, None, False, True), "on", "does not have the extension"),
        (Timescale(None, "2.20.3", True, True), "auto", "2.20.3 is too old"),
        (Timescale(None, "2.23.0", False, True), "auto", "not in the server's shared_preload"),
        (Timescale(None, "2.23.0", False, True), "on", None),
        (Timescale(None, "2.23.0", True, False), "on", "may not create the extension"),
        (Timescale("2.23.0", "2.24.0", True, False), "auto", None),
        (Timescale("2.9.1", "2.24.0", True, True), "auto", "2.9.1 is too old"),
    ],
)
def test_the_extension_is_used_only_where_it_can_be(server, wish, reason):
    said = server.why_not(wish)
    assert said is None if reason is None else reason in said


def test_every_channel_has_a_slice_of_its_own():
    starts = list(slices().values())
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert starts[-1] < 2**31 - 1
