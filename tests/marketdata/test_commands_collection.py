"""collect, sync_instruments and seed_demo: what they do, and what they say when they cannot."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from marketdata.collector.okx.rest import OKXHistory
from marketdata.models import Collector, Instrument, Trade
from marketdata.supervision.lease import acquire
from tests.marketdata.api.conftest import make_instrument
from tests.marketdata.processes import ROOT, environment
from tests.patience import PATIENCE_S
from tests.simulated_exchange import spawned_exchange


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with spawned_exchange(tmp_path_factory.mktemp("exchange")) as exchange:
        yield exchange


@pytest.fixture
def simulated(exchange, settings):
    settings.EXCHANGE = "okx-sim"
    settings.OKX_REST_URL, settings.OKX_WS_URL = exchange.rest, exchange.websocket
    return exchange


@pytest.fixture
def nowhere(settings, monkeypatch):
    """An exchange that does not answer, and clients that give up at once."""
    settings.EXCHANGE = "okx-sim"
    settings.OKX_REST_URL = "http://127.0.0.1:9"
    start = OKXHistory.__init__
    monkeypatch.setattr(
        OKXHistory, "__init__", lambda self, *given: start(self, *given, attempts=1)
    )


@pytest.mark.django_db
def test_sync_instruments_says_what_changed(simulated, capsys):
    call_command("sync_instruments", exchange="okx-sim")
    added = Instrument.objects.count()
    assert added > 5
    assert f"okx-sim: {added} added, 0 changed, 0 gone" in capsys.readouterr().out
    call_command("sync_instruments", exchange="okx-sim")
    assert "okx-sim: 0 added, 0 changed, 0 gone" in capsys.readouterr().out


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["sync_instruments", "seed_demo"])
def test_an_exchange_that_does_not_answer_is_named_with_its_address(nowhere, command):
    with pytest.raises(CommandError, match=r"okx-sim at http://127.0.0.1:9 did not give its"):
        call_command(command, exchange="okx-sim")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("command", "more"),
    [("sync_instruments", {}), ("seed_demo", {}), ("collect", {"symbols": "BTC-USDT"})],
)
def test_simulated_data_never_enters_under_the_name_of_the_real_exchange(simulated, command, more):
    with pytest.raises(CommandError, match="okx is the real exchange, but TCPD_OKX_REST_URL is"):
        call_command(command, exchange="okx", **more)
    assert not Instrument.objects.exists()


@pytest.mark.django_db
def test_seed_demo_enables_a_handful_once(simulated, capsys):
    call_command("seed_demo", exchange="okx-sim")
    enabled = Instrument.objects.enabled()
    assert {"BTC-USDT", "ETH-USDT", "BTC-USDT-SWAP"} <= {row.symbol for row in enabled}
    assert {row.collector.name for row in enabled} == {"okx-sim"}
    assert Collector.objects.get().desired == "running"

    Instrument.objects.named("okx-sim", "ETH-USDT").delete()
    Instrument.objects.filter(symbol="BTC-USDT").update(is_enabled=False)
    call_command("seed_demo", exchange="okx-sim")
    assert "was seeded before" in capsys.readouterr().out
    assert not Instrument.objects.get(symbol="BTC-USDT").is_enabled


@pytest.mark.django_db(transaction=True)
def test_collect_ends_when_nothing_comes_any_more(simulated, capsys):
    call_command("collect", exchange="okx-sim", symbols="LTC-USDT", until_idle=1.5)
    out = capsys.readouterr().out
    row = Collector.objects.get()
    assert out.startswith("drained: trades=") or "\ndrained: trades=" in out
    assert (row.name, row.desired, row.lease_owner) == ("okx-sim-foreground", "stopped", "")


@pytest.mark.django_db
def test_collect_suggests_the_name_that_was_meant(simulated):
    with pytest.raises(CommandError, match=r"lists no instrument 'BTC-USTD'; did you mean BTC-"):
        call_command("collect", exchange="okx-sim", symbols="ETH-USDT,BTC-USTD")


@pytest.mark.django_db
def test_collect_refuses_what_a_running_collector_has(simulated):
    collector = Collector.objects.create(name="okx-sim", exchange="okx-sim")
    make_instrument("BTC-USDT", is_enabled=True, collector=collector)
    acquire(collector.pk)
    with pytest.raises(CommandError, match="BTC-USDT is being collected by collector okx-sim"):
        call_command("collect", exchange="okx-sim", symbols="BTC-USDT")


@pytest.mark.django_db(transaction=True)
def test_collect_refuses_to_run_twice_under_one_name(simulated):
    make_instrument("BTC-USDT")
    row = Collector.objects.create(name="mine", exchange="okx-sim", desired="stopped")
    acquire(row.pk, is_swept=False)
    with pytest.raises(CommandError, match="collector mine runs already"):
        call_command("collect", exchange="okx-sim", symbols="BTC-USDT", name="mine")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_ctrl_c_drains_and_gives_the_lease_back(simulated, tmp_path):
    with (tmp_path / "errors.log").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "collect", "--symbols", "BTC-USDT,ETH-USDT"],
            cwd=ROOT,
            env=environment(simulated, tmp_path),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        for line in process.stdout:
            if "trades=" in line and "stored_trades=0" not in line:
                break
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, (tmp_path / "errors.log").read_text()
    assert "drained: " in rest
    assert Trade.objects.exists()
    assert Collector.objects.get().lease_owner == ""
