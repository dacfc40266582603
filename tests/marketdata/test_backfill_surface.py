"""Backfills are asked for over REST, by a form and by a command, with the same refusals."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connections

from marketdata.backfills import BackfillRequest, request_backfill
from marketdata.domain.timeframe import DAY_MS
from marketdata.forms import BackfillForm
from marketdata.loading.plans import Order
from marketdata.management.commands import backfill as command
from marketdata.models import Candle, Instrument
from tcpdashboard.common.jobs.runner import run_job
from tcpdashboard.common.models import Job
from tests.marketdata.api.conftest import client_of, make_instrument
from tests.patience import PATIENCE_S
from tests.simulated_exchange import spawned_exchange

URL = "/api/v1/backfills/"
DAY = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
GIVEN = {
    "exchange": "okx-sim",
    "symbol": "BTC-USDT",
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-01-02T00:00:00Z",
}


@pytest.fixture(autouse=True)
def _simulated(settings):
    settings.EXCHANGE = "okx-sim"
    settings.OKX_REST_URL = "http://127.0.0.1:9"
    cache.clear()


@pytest.fixture
def btc(db):
    return make_instrument("BTC-USDT")


@pytest.fixture
def staff(db):
    return get_user_model().objects.create_superuser("staff")


@pytest.fixture
def reader(db):
    return get_user_model().objects.create_user("reader")


def test_staff_ask_for_a_backfill_and_everybody_sees_it(btc, staff, reader):
    answer = client_of(staff).post(URL, {**GIVEN, "order": "oldest"})
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["kind"], shown["owner"], shown["state"]) == ("backfill", "staff", "queued")
    assert shown["parameters"] == {
        "exchange": "okx-sim",
        "symbol": "BTC-USDT",
        "start_ms": DAY,
        "end_ms": DAY + DAY_MS,
        "trades": False,
        "order": "oldest",
    }
    seen = client_of(reader).get(URL, {"symbol": "BTC-USDT", "state": "queued"}).json()
    assert [row["id"] for row in seen["results"]] == [shown["id"]]
    assert client_of(reader).get(f"{URL}{shown['id']}/").json()["title"] == shown["title"]
    assert client_of(reader).get(URL, {"symbol": "ETH-USDT"}).json()["results"] == []
    assert client_of(reader).get(f"/api/v1/jobs/{shown['id']}/").status_code == 404


def test_a_reader_may_not_ask(btc, reader):
    assert client_of(reader).post(URL, GIVEN).status_code == 403


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"symbol": "NO-SUCH"}, "symbol"),
        ({"start": "yesterday"}, "start"),
        ({"end": "2026-01-01T00:00:00Z"}, "end"),
        ({"order": "random"}, "order"),
        ({"exchange": "okx"}, "exchange"),
        ({"from": "2026"}, "from"),
    ],
)
def test_refusals_name_the_field(btc, staff, changes, field):
    answer = client_of(staff).post(URL, {**GIVEN, **changes})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert not Job.objects.exists()


def test_a_form_creates_the_job_of_whom_sent_it(btc, staff):
    form = BackfillForm(
        {
            "exchange": "okx-sim",
            "symbol": "BTC-USDT",
            "start": "2026-01-01T00:00",
            "end": "2026-01-01T12:00",
        }
    )
    assert form.is_valid(), form.errors
    job = form.save(staff)
    assert (job.owner, job.total) == (staff, 720)
    assert job.parameters["start_ms"] == DAY
    again = BackfillForm(form.data)
    assert not again.is_valid()
    assert f"job {job.pk}" in again.errors["start"][0]


def test_a_form_that_became_impossible_meanwhile_says_so_too(btc, staff):
    form = BackfillForm({**GIVEN, "start": "2026-01-01", "end": "2026-01-02"})
    assert form.is_valid(), form.errors
    request_backfill(BackfillRequest("okx-sim", "BTC-USDT", DAY, DAY + DAY_MS))
    assert form.save(staff) is None
    assert "start" in form.errors


def test_the_form_knows_the_exchange_that_is_collected_here():
    assert 'value="okx-sim"' in BackfillForm().as_p()


def test_the_command_creates_a_job_of_the_system_and_says_how_to_end_it(btc):
    out = run_command("--start", "2026-01-01", "--end", "2026-01-02T06:00Z", "--oldest-first")
    job = Job.objects.get()
    assert (job.owner, job.total, job.parameters["order"]) == (None, 1800, Order.OLDEST)
    assert out.startswith(f"job {job.pk}: candles of okx-sim:BTC-USDT, 2026-01-01 00:00 to")
    assert f"`manage.py jobs --cancel {job.pk}` ends it" in out


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--start", "2026-01-02", "--end", "2026-01-01"), "end: expected a time at least"),
        (("--start", "1 May"), "expected a time such as 2024-01-01"),
    ],
)
def test_the_command_refuses_in_a_sentence(btc, options, reason):
    with pytest.raises(CommandError, match=reason):
        run_command(*options)


@pytest.mark.django_db(transaction=True)
def test_a_command_that_waits_prints_progress_and_the_end(tmp_path, settings, monkeypatch):
    monkeypatch.setattr(command, "LOOK_EVERY_S", 0.02)
    with spawned_exchange(tmp_path) as exchange:
        settings.OKX_REST_URL = exchange.rest
        worker = threading.Thread(target=work_when_asked)
        worker.start()
        # The exchange's list is fetched when the symbol is not known yet.
        out = run_command("--start", "2026-01-01", "--end", "2026-01-03", "--wait")
        worker.join(PATIENCE_S)
    job = Job.objects.get()
    assert f"job {job.pk} is done: inserted=2880" in out
    assert f"job {job.pk} running" in out
    assert Instrument.objects.filter(symbol="BTC-USDT").exists()
    assert Candle.objects.filter(timeframe=1).count() == 2880


@pytest.mark.django_db(transaction=True)
def test_ctrl_c_leaves_the_job_running(btc, monkeypatch):
    def interrupt(_seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", interrupt)
    out = run_command("--start", "2026-01-01", "--end", "2026-01-03", "--wait")
    job = Job.objects.get()
    assert job.state == "queued"
    assert f"job {job.pk} goes on; `manage.py jobs --cancel {job.pk}` ends it" in out


def test_jobs_are_listed_and_ordered_about_by_a_command(btc):
    job = request_backfill(BackfillRequest("okx-sim", "BTC-USDT", DAY, DAY + DAY_MS))
    assert f"{job.pk}  queued      0/1440 minutes  {job.title}" in jobs()
    assert "paused" in jobs("--pause", str(job.pk))
    assert "queued" in jobs("--resume", str(job.pk))
    assert "cancelled" in jobs("--cancel", str(job.pk))
    assert jobs("--active") == ""
    with pytest.raises(CommandError, match="is cancelled: it cannot be resumed"):
        jobs("--resume", str(job.pk))
    with pytest.raises(CommandError, match="there is no job 99999"):
        jobs("--cancel", "99999")


def run_command(*options):
    out = StringIO()
    call_command("backfill", "--symbol", "BTC-USDT", *options, stdout=out)
    return out.getvalue()


def jobs(*options):
    out = StringIO()
    call_command("jobs", *options, stdout=out)
    return out.getvalue()


def work_when_asked():
    """Do the first job that comes."""
    while not (job := Job.objects.first()):
        threading.Event().wait(0.05)
    run_job(job.pk, threading.Event())
    connections.close_all()
