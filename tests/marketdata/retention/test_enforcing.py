"""What was kept long enough goes: by whole partitions, trades in small steps, archived first."""

from __future__ import annotations

import gzip
import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from marketdata import tasks
from marketdata.domain.raw import RawChannel, RawMessage
from marketdata.domain.timeframe import DAY_MS
from marketdata.models import (
    Archive,
    Candle,
    CandleConflict,
    Collector,
    DataGap,
    RetentionPolicy,
    TapeScan,
    Trade,
    from_ms,
)
from marketdata.models import RawMessage as Raw
from marketdata.retention.enforcing import NOT_ENFORCED, enforce, prepare_partitions
from marketdata.retention.planning import data_now_ms, plan
from marketdata.storage import read_trades, trade_days, write_candles
from marketdata.storage.archives import ArchiveDamaged, archives, check_archive
from marketdata.storage.partitions import partitions, retire
from marketdata.storage.raw import RawWriter
from marketdata.storage.trades import write_trades
from tcpdashboard.celery import app
from tcpdashboard.common.models import Alert
from tcpdashboard.schedules import beat_schedule
from tests.marketdata.partitions import drop_partitions
from tests.marketdata.storage.builders import make_instrument, minutes, tape
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)

NOW = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()) * 1000
TODAY = NOW - NOW % DAY_MS


@pytest.fixture(autouse=True)
def _clock(settings, tmp_path):
    """The exchange collected here is at noon of 2026-03-01; archives lie in a fresh folder."""
    settings.EXCHANGE = "okx"
    settings.STORAGES = {
        **settings.STORAGES,
        "archives": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path},
        },
    }
    drop_partitions()
    Collector.objects.create(name="okx", exchange="okx", exchange_time=from_ms(NOW))
    yield
    drop_partitions()


@pytest.fixture
def btc():
    return make_instrument()


def keep(what, **values):
    RetentionPolicy.objects.update_or_create(what=what, defaults=values)


def record(days_ago, number=5, channel=RawChannel.TICKERS):
    at = TODAY - days_ago * DAY_MS
    RawWriter("okx").write(
        [RawMessage(channel, "BTC-USDT", at + n, at + n, b'{"n":"%d"}' % n) for n in range(number)]
    )


def trade(instrument, days_ago, number=20, first_id=None):
    start = TODAY - days_ago * DAY_MS
    first_id = 1_000_000 - days_ago * 1_000 if first_id is None else first_id
    with connection.cursor() as cursor:
        write_trades(
            cursor, instrument.pk, tape(start, [100.0] * number, step_ms=1_000, first_id=first_id)
        )
    # As if they had been received when they were executed.
    Trade.objects.filter(instrument=instrument).update(received_at=from_ms(start))


def raw_days():
    return sorted({row.date() for row in Raw.objects.values_list("exchange_time", flat=True)})


def trade_days_left(instrument):
    times = Trade.objects.filter(instrument=instrument).values_list("executed_at", flat=True)
    return sorted({(date(2026, 3, 1) - time.date()).days for time in times})


# ---------------------------------------------------------------- raw messages
def test_days_beyond_a_channels_retention_go_and_the_others_stay(btc):
    keep("tickers", keep_days=3)
    for days_ago in (0, 1, 3, 4, 9):
        record(days_ago)
        record(days_ago, channel=RawChannel.BOOKS)
    outcome = enforce()
    assert (outcome.partitions, outcome.is_whole) == (2, True)
    left = Raw.objects.filter(channel="tickers").values_list("exchange_time__date", flat=True)
    assert set(left) == {date(2026, 3, 1), date(2026, 2, 28), date(2026, 2, 26)}
    assert Raw.objects.filter(channel="books").count() == 25


def test_a_channel_kept_for_ever_loses_nothing(btc):
    keep("tickers", keep_days=0)
    record(4_000)
    assert enforce().partitions == 0
    assert Raw.objects.count() == 5


def test_the_work_of_a_drop_does_not_depend_on_how_much_there_is(btc):
    keep("tickers", keep_days=1)
    statements = []
    for number in (1, 3_000):
        record(5, number)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            enforce()
        statements.append([query["sql"].split(" ", 2)[:2] for query in captured])
        assert not Raw.objects.exists()
        texts = " ".join(query["sql"].lower() for query in captured)
        assert "detach partition" in texts
        assert "drop table" in texts
        assert "delete" not in texts
        assert "count(" not in texts
    assert statements[0] == statements[1]


def test_an_archive_restores_exactly_what_was_dropped(btc):
    keep("tickers", keep_days=1, archive=True)
    record(5, 300)
    before = list(Raw.objects.order_by("id").values())
    (name,) = enforce().archives
    assert not Raw.objects.exists()
    archive = Archive.objects.get()
    assert (archive.name, archive.rows, archive.day) == (name, 300, date(2026, 2, 24))
    assert archive.dropped_at is not None
    call_command("restore_archive", name)
    assert list(Raw.objects.order_by("id").values()) == before
    call_command("restore_archive", name)
    assert Raw.objects.count() == 300


def test_what_cannot_be_archived_is_not_dropped(btc, settings, tmp_path):
    keep("tickers", keep_days=1, archive=True)
    record(5)
    (tmp_path / "raw").write_text("a file where the folder should be")
    outcome = enforce()
    assert (outcome.partitions, outcome.is_whole) == (0, False)
    assert Alert.objects.open().get().kind == NOT_ENFORCED
    (waiting,) = partitions()
    assert waiting.is_retired
    (tmp_path / "raw").unlink()
    assert enforce().partitions == 1
    assert Archive.objects.get().rows == 5
    assert not Alert.objects.open().exists()


def test_a_step_that_fails_stops_no_other_and_is_told_until_it_succeeds(btc):
    keep("tickers", keep_days=1)
    keep("books", keep_days=1)
    record(5)
    record(5, channel=RawChannel.BOOKS)

    def fail(execute, sql, params, many, context):
        if "tickers" in str(sql) and "drop table" in str(sql).lower():
            raise ValueError("nobody thought of this")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail):
        outcome = enforce()
    assert (outcome.failed, outcome.is_whole) == ({"tickers"}, False)
    assert [partition.channel.value for partition in partitions()] == ["tickers"]
    assert Alert.objects.open().get().subject == "tickers"

    enforce(budget_s=0.0)
    assert Alert.objects.open().exists(), "a run that came to nothing ends no alert"
    enforce()
    assert not Alert.objects.open().exists()


def test_a_run_that_ended_behind_the_archive_is_taken_up_without_a_second_file(btc):
    keep("tickers", keep_days=1, archive=True)
    record(5)
    (partition,) = partitions()
    enforce()
    # As if the process had died before the drop: the table is there, its archive is not ticked off.
    Archive.objects.update(dropped_at=None)
    call_command("restore_archive", Archive.objects.get().name)
    retire(partition)
    outcome = enforce()
    assert outcome.partitions == 1
    assert Archive.objects.count() == 1
    assert Archive.objects.get().dropped_at is not None


def test_a_damaged_archive_is_not_restored(btc, tmp_path):
    keep("tickers", keep_days=1, archive=True)
    record(5)
    (name,) = enforce().archives
    path = tmp_path / name
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"one more line\n"))
    with pytest.raises(CommandError, match="is not what was written"):
        call_command("restore_archive", name)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ArchiveDamaged):
        check_archive(name)
    assert not Raw.objects.exists()


def test_a_file_from_elsewhere_is_restored_into_an_installation_with_other_numbers(btc, tmp_path):
    keep("tickers", keep_days=1, archive=True)
    record(5)
    (name,) = enforce().archives
    outside = tmp_path / "outside.csv.gz"
    (tmp_path / name).rename(outside)
    btc.delete()
    again = make_instrument()
    call_command("restore_archive", str(outside))
    assert set(Raw.objects.values_list("instrument", flat=True)) == {again.pk}
    assert archives().listdir("restore")[1] == []


def test_an_instrument_that_is_not_listed_here_and_a_foreign_file_are_refused(btc, tmp_path):
    keep("tickers", keep_days=1, archive=True)
    record(5)
    (name,) = enforce().archives
    Archive.objects.all().delete()
    btc.delete()
    with pytest.raises(CommandError, match="okx:BTC-USDT is not listed here"):
        call_command("restore_archive", name)
    foreign = tmp_path / "foreign.csv.gz"
    foreign.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(CommandError, match="no archive of ours"):
        call_command("restore_archive", str(foreign))
    with pytest.raises(CommandError, match="neither among the archives nor a file"):
        call_command("restore_archive", "nothing.csv.gz")


def test_only_one_enforcement_is_at_work(btc, settings):
    keep("tickers", keep_days=1)
    record(5)
    held, done = threading.Event(), threading.Event()

    def hold():
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(7141, 0)")
            held.set()
            done.wait(PATIENCE_S)
            # A closed session gives it back too, but a moment later.
            cursor.execute("select pg_advisory_unlock(7141, 0)")
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(PATIENCE_S)
    assert (enforce().is_whole, Raw.objects.count()) == (False, 5)
    done.set()
    other.join()
    assert enforce().partitions == 1


def test_tables_are_made_for_the_exchanges_next_days():
    prepare_partitions()
    made = [one.day for one in partitions() if one.channel is RawChannel.BALANCES]
    assert made == [date(2026, 3, day) for day in (1, 2, 3, 4)]


# ---------------------------------------------------------------- trades
def test_trades_beyond_their_retention_go_and_candles_stay(btc):
    keep("trades", keep_days=10)
    for days_ago in (200, 150, 10, 0):
        trade(btc, days_ago)
    write_candles(btc, minutes(TODAY - 200 * DAY_MS, [100.0] * 5), reason="history")
    outcome = enforce()
    assert (outcome.trade_days, outcome.is_whole) == (2, True)
    assert trade_days_left(btc) == [0, 10]
    assert Candle.objects.filter(timeframe=1).count() == 5


def test_trades_go_in_small_steps(btc, monkeypatch):
    monkeypatch.setattr(trade_days, "BATCH_ROWS", 7)
    keep("trades", keep_days=10)
    trade(btc, 150, number=50)
    with CaptureQueriesContext(connection) as captured:
        enforce()
    deletes = [query["sql"] for query in captured if "delete from marketdata_trade" in query["sql"]]
    assert len(deletes) == 8
    assert not Trade.objects.exists()


def test_archived_trades_come_back_to_the_last_digit(btc):
    keep("trades", keep_days=10, archive=True)
    trade(btc, 150, number=100)
    before = read_trades(btc, 0, NOW).tolist()
    received = list(Trade.objects.values_list("received_at", flat=True))
    (name,) = enforce().archives
    assert name.startswith("trades/okx/BTC-USDT/2025/10/2025-10-02")
    assert not Trade.objects.exists()
    call_command("restore_archive", name)
    assert read_trades(btc, 0, NOW).tolist() == before
    assert list(Trade.objects.values_list("received_at", flat=True)) == received


def test_matches_that_are_stored_merged_and_alone_are_there_once_after_a_restore(btc):
    keep("trades", keep_days=10, archive=True)
    alone = tape(TODAY - 150 * DAY_MS, [100.0] * 20, step_ms=1_000)
    alone["time_ms"][3:6] = alone["time_ms"][3]
    with connection.cursor() as cursor:
        write_trades(cursor, btc.pk, alone)
    Trade.objects.update(received_at=F("executed_at"))
    (name,) = enforce().archives
    # The exchange sends the matches 4 to 6 again, in one row.
    merged = alone[5:6].copy()
    merged["count"], merged["size"] = 3, alone["size"][3:6].sum()
    with connection.cursor() as cursor:
        write_trades(cursor, btc.pk, merged)
    for _ in range(2):
        call_command("restore_archive", name)
        assert read_trades(btc, 0, NOW).tolist() == alone.tolist()


def test_a_restore_waits_for_the_write_that_is_under_way(btc):
    keep("trades", keep_days=10, archive=True)
    trade(btc, 150)
    (name,) = enforce().archives
    with CaptureQueriesContext(connection) as asked:
        call_command("restore_archive", name)
    statements = [query["sql"] for query in asked.captured_queries]
    locked = next(n for n, sql in enumerate(statements) if "pg_advisory_xact_lock(7101" in sql)
    assert locked < next(n for n, sql in enumerate(statements) if "into marketdata_trade" in sql)


def test_trades_that_came_after_the_archive_are_archived_by_the_next_run(btc):
    keep("trades", keep_days=10, archive=True)
    trade(btc, 150, number=10)
    late = TODAY - 150 * DAY_MS + 3_600_000
    with connection.cursor() as cursor:
        write_trades(cursor, btc.pk, tape(late, [100.0] * 3, first_id=5_000_000))
    for _ in range(2):
        assert enforce().trade_days == 0
        assert Trade.objects.count() == 3
    Trade.objects.update(received_at=from_ms(late))
    assert enforce().trade_days == 1
    assert sorted(Archive.objects.values_list("rows", flat=True)) == [3, 10]


def test_a_gap_that_is_being_repaired_keeps_its_days_and_those_behind(btc):
    keep("trades", keep_days=10)
    for days_ago in (60, 50, 40):
        trade(btc, days_ago)
    start = from_ms(TODAY - 50 * DAY_MS)
    gap = DataGap.objects.create(
        instrument=btc,
        kind="trades",
        first_trade_id=1,
        last_trade_id=2,
        start=start,
        end=start + timedelta(seconds=5),
        cause="outage",
    )
    enforce()
    assert trade_days_left(btc) == [40, 50]
    assert any("gap" in (one.kept_because or "") for one in plan())
    DataGap.objects.filter(pk=gap.pk).update(state="unrepairable")
    enforce()
    assert trade_days_left(btc) == []


def test_trades_that_no_exchange_serves_any_more_are_held_by_nothing(btc):
    keep("trades", keep_days=10)
    trade(btc, 120)
    start = from_ms(TODAY - 120 * DAY_MS)
    DataGap.objects.create(
        instrument=btc,
        kind="trades",
        first_trade_id=1,
        last_trade_id=2,
        start=start,
        end=start + timedelta(seconds=5),
        cause="outage",
    )
    enforce()
    assert trade_days_left(btc) == []


def test_a_candle_that_differs_from_the_exchanges_keeps_its_trades(btc):
    keep("trades", keep_days=10)
    trade(btc, 50)
    CandleConflict.objects.create(
        instrument=btc,
        kind="exchange",
        open_time=from_ms(TODAY - 50 * DAY_MS),
        **{f"their_{name}": 1.0 for name in ("open", "high", "low", "close", "volume")},
    )
    enforce()
    assert trade_days_left(btc) == [50]


def test_ids_that_were_not_looked_through_and_minutes_not_compared_keep_their_trades(btc):
    keep("trades", keep_days=10)
    trade(btc, 50)
    btc.is_enabled = True
    btc.save()
    (held,) = plan()
    assert held.kept_because == "its trade ids are not looked through yet"
    TapeScan.objects.create(instrument=btc, trade_id=9, executed_at=from_ms(NOW))
    write_candles(btc, minutes(TODAY - 50 * DAY_MS, [100.0]), reason="history")
    (held,) = plan()
    assert held.kept_because == "minutes of it are not compared with the exchange's yet"
    enforce()
    assert trade_days_left(btc) == [50]


# ---------------------------------------------------------------- saying so
def test_a_dry_run_says_what_would_go_and_takes_nothing(btc, capsys):
    keep("tickers", keep_days=3, archive=True)
    keep("trades", keep_days=10)
    record(9, 7)
    trade(btc, 150, number=20)
    call_command("retention", "--dry-run")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "7 rows" in lines[0]
    assert "archived, then dropped" in lines[0]
    assert "20 rows" in lines[1]
    assert "okx:BTC-USDT" in lines[1]
    assert lines[2].startswith("would go: 27 rows")
    assert (Raw.objects.count(), Trade.objects.count()) == (7, 20)
    call_command("retention")
    assert "1 partitions and 1 instrument days" in capsys.readouterr().out
    assert (Raw.objects.count(), Trade.objects.count()) == (0, 0)


def test_ages_count_by_the_exchange_collected_here_and_stand_still_with_it():
    assert data_now_ms() == NOW
    Collector.objects.all().delete()
    assert data_now_ms() > NOW


def test_policies_that_the_settings_do_not_know_stop_with_what_was_expected(settings):
    settings.RETENTION_DAYS = "tickers=14"
    with pytest.raises(ImproperlyConfigured, match="TCPD_RETENTION_DAYS"):
        enforce()
    settings.RETENTION_DAYS = "tickers"
    with pytest.raises(CommandError, match="expected name=number"):
        call_command("retention", "--dry-run")


def test_trades_are_never_kept_for_less_than_repairs_need():
    with pytest.raises(ValidationError, match="at least 7 days"):
        RetentionPolicy(what="trades", keep_days=3).clean()
    RetentionPolicy(what="tickers", keep_days=3).clean()


def test_beat_sends_both_tasks_to_the_queue_of_what_keeps_the_store_whole(btc):
    app.loader.import_default_modules()
    keep("tickers", keep_days=1)
    record(5)
    tasks.enforce_retention()
    tasks.prepare_partitions()
    assert not Raw.objects.exists()
    assert {one.day for one in partitions()} == {date(2026, 3, day) for day in (1, 2, 3, 4)}
    sent = {entry["task"] for entry in beat_schedule(2).values()}
    for name in ("marketdata.enforce_retention", "marketdata.prepare_partitions"):
        assert name in sent
        assert app.amqp.router.route({}, name)["queue"].name == "repair"
