"""A result taken away: a report of one file, and an archive that proves itself."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from backtests.exporting.archive import CannotExport, write_archive
from backtests.exporting.members import BadArchive
from backtests.exporting.report import report_pieces
from backtests.exporting.verifying import verify_archive
from backtests.models import Backtest
from backtests.requests import BacktestRequest
from backtests.services import run_now
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.storage import write_candles
from tests.backtests.conftest import ASKED, wave, with_candles
from tests.backtests.test_own_strategies import GOOD, HEAD
from tests.marketdata.api.conftest import make_instrument


def run(**changes):
    return run_now(BacktestRequest(**{**ASKED, **changes}))


def archived(backtest):
    file = io.BytesIO()
    write_archive(backtest, file)
    return file


def rewritten(file, changes):
    """Return the archive with members replaced by what `changes` makes of them."""
    out = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, changes.get(name, lambda content: content)(old.read(name)))
    return out


def test_an_archive_is_confirmed_from_its_own_candles(btc):
    backtest = run()
    file = archived(backtest)
    moved = wave(500)
    moved["close"] += 30
    moved["high"] += 30
    moved["revision"] = 1
    # Nothing of the database is asked.
    write_candles(btc, moved, reason="test")
    found = verify_archive(file)
    assert found.differences == {}
    assert found.result_hash == backtest.result_hash
    assert found.metrics == backtest.metrics
    assert found.fills > 10


def test_it_holds_configuration_result_fills_candles_and_fingerprint(btc):
    backtest = run(start_ms=ASKED["start_ms"] + 18 * 60 * MINUTE_MS)
    with zipfile.ZipFile(archived(backtest)) as packed:
        manifest = json.loads(packed.read("manifest.json"))
        config = json.loads(packed.read("config.json"))
        result = json.loads(packed.read("result.json"))
        fills = packed.read("fills.csv").decode().splitlines()
        names = set(packed.namelist())
    assert manifest["fingerprint"] == backtest.fingerprint
    assert manifest["result_hash"] == backtest.result_hash
    assert set(manifest["sha256"]) == names - {"manifest.json"}
    assert config["parameters"] == {"fast": 3, "slow": 9, "sides": "long"}
    assert config["instrument"]["symbol"] == "BTC-USDT"
    assert result["metrics"] == backtest.metrics
    assert result["compared"]["vectorbt"]["total_return"] == backtest.metrics["total_return"]
    assert fills[0].startswith("time_ms,side")
    assert len(fills) > 5
    assert {"candles/open.npy", "candles/volume.npy", "equity/equity.npy"} <= names


def test_the_same_run_makes_the_same_archive(btc):
    backtest = run()
    assert archived(backtest).getvalue() == archived(backtest).getvalue()


def test_swaps_with_stops_and_shorts_are_confirmed_too(db):
    with_candles(make_instrument("BTC-USDT-SWAP", kind="swap"))
    trading = {"allow_short": True, "stop_loss": "0.01", "trailing_stop": "0.02", "cash": "5000"}
    parameters = {"fast": 3, "slow": 9, "sides": "both"}
    backtest = run(symbol="BTC-USDT-SWAP", trading=trading, parameters=parameters)
    assert verify_archive(archived(backtest)).is_confirmed


@pytest.mark.slow
def test_an_own_strategy_comes_along_and_runs_in_a_process_of_its_own(btc, settings, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "mine.py").write_text(HEAD + GOOD)
    settings.STRATEGIES_DIR = str(folder)
    file = archived(run(strategy="own:mine", parameters={"period": 7}))
    (folder / "mine.py").unlink()
    settings.STRATEGIES_DIR = ""
    assert verify_archive(file).is_confirmed
    told = rewritten(file, {"strategy.py": lambda code: code.replace(b"1.0, 0.0", b"0.0, 1.0")})
    differences = verify_archive(told).differences
    assert {"strategy.py", "result_hash", "fills.csv"} <= set(differences)


@pytest.mark.parametrize(
    ("member", "change", "expected"),
    [
        (
            "config.json",
            lambda text: text.replace(b'"taker_bps": "10"', b'"taker_bps": "9"'),
            {"config.json", "result_hash", "fills.csv", "metrics.total_return"},
        ),
        (
            "candles/close.npy",
            lambda content: content[:-8] + content[-16:-8],
            {"candles/close.npy", "fingerprint"},
        ),
        (
            "fills.csv",
            lambda text: text.replace(b"buy", b"sell", 1),
            {"fills.csv"},
        ),
        (
            "result.json",
            lambda text: text.replace(b'"round_trips": ', b'"round_trips": 1'),
            {"result.json", "metrics.round_trips"},
        ),
        (
            "manifest.json",
            lambda text: re.sub(rb'"fingerprint": "..', b'"fingerprint": "zz', text),
            {"fingerprint"},
        ),
    ],
)
def test_whatever_was_changed_in_an_archive_is_named(btc, member, change, expected):
    found = verify_archive(rewritten(archived(run()), {member: change}))
    assert not found.is_confirmed
    assert expected <= set(found.differences)


def test_a_fill_that_differs_is_shown(btc):
    told = rewritten(archived(run()), {"fills.csv": lambda text: text.replace(b"buy", b"sell", 1)})
    told = verify_archive(told).differences["fills.csv"]
    assert "fill 1 was" in told
    assert "is" in told
    assert ",buy," in told


@pytest.mark.parametrize(
    "changes",
    [
        {"config.json": lambda text: b"[]"},
        {"config.json": lambda text: text.replace(b'"timeframe": "5m"', b'"timeframe": "7m"')},
        {"config.json": lambda text: text.replace(b'"tick_size": "', b'"tick_size": "x')},
        {"config.json": lambda text: b'{"strategy": 3}'},
        {"manifest.json": lambda text: text.replace(b'"format": 1', b'"format": 99')},
        {"candles/open.npy": lambda content: content[:-800]},
        {"candles/open.npy": lambda content: b"nothing"},
    ],
)
def test_what_is_no_archive_is_refused_with_the_reason(btc, changes):
    with pytest.raises(BadArchive):
        verify_archive(rewritten(archived(run()), changes))


def test_strange_files_are_refused(btc):
    with pytest.raises(BadArchive, match="no zip file"):
        verify_archive(io.BytesIO(b"hello"))
    file = archived(run())
    with zipfile.ZipFile(file, "a") as packed:
        packed.writestr("../../etc/passwd", "x")
    with pytest.raises(BadArchive, match="none of an archive's files"):
        verify_archive(file)


def test_candles_that_changed_since_cannot_be_exported(btc):
    backtest = run()
    changed = wave()[1500:1600]
    changed["close"] += 200
    changed["high"] += 200
    changed["revision"] = 1
    write_candles(btc, changed, reason="test")
    with pytest.raises(CannotExport, match="changed since"):
        archived(backtest)


def test_candles_that_changed_in_what_no_fill_shows_cannot_be_exported_either(btc):
    backtest = run()
    changed = wave()[1500:1501]
    changed["volume"] += 1
    changed["revision"] = 1
    write_candles(btc, changed, reason="test")
    with pytest.raises(CannotExport, match="changed since"):
        archived(backtest)


def test_commands_export_and_verify(btc, tmp_path, capsys):
    backtest = run()
    path = tmp_path / "run.zip"
    call_command("export_run", backtest.pk, "-o", str(path))
    call_command("verify_run", str(path))
    assert f"result {backtest.result_hash}" in capsys.readouterr().out
    path.write_bytes(rewritten(path, {"fills.csv": lambda text: text + b"1\n"}).getvalue())
    with pytest.raises(CommandError, match=r"(?s)not confirmed.*fills.csv"):
        call_command("verify_run", str(path))
    call_command("export_run", backtest.pk, "-o", str(tmp_path / "run.html"))
    assert (tmp_path / "run.html").stat().st_size > 1_000_000
    for output, reason in (("run.txt", "ending in"), ("no/folder.zip", "cannot be written")):
        with pytest.raises(CommandError, match=reason):
            call_command("export_run", backtest.pk, "-o", str(tmp_path / output))
    with pytest.raises(CommandError, match="there is no backtest 999"):
        call_command("export_run", 999, "-o", str(path))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verify_run", str(tmp_path / "none.zip"))


def test_a_report_is_one_file_that_asks_for_nothing(btc):
    backtest = run(parameters={"fast": 3, "slow": 9})
    Backtest.objects.filter(pk=backtest.pk).update(notes="</script><script>alert(1)</script>")
    backtest.refresh_from_db()
    html = "".join(report_pieces(backtest))
    own = html.replace(Path("static/vendor/plotly/plotly-finance.min.js").read_text(), "")
    assert len(html) - len(own) > 1_000_000
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", own)
    assert not re.findall(r"https?://", own)
    assert "alert(1)</script>" not in own
    data = json.loads(re.search(r'id="data" type="application/json">(.*?)</script>', own)[1])
    closed = [trip for trip in data["trips"] if trip[data["columns"].index("exit_ms")]]
    assert len(closed) == backtest.metrics["round_trips"]
    assert data["curves"]["equity"][-1] == pytest.approx(backtest.curve["equity"][-1])
    assert sum(count for _, _, count in data["bins"]) == len(closed)
    for text in (backtest.fingerprint, backtest.result_hash, "Sharpe", "vectorbt", "2025"):
        assert text in own


def test_both_are_sent_to_their_owner_only(btc, client, django_user_model):
    from tests.marketdata.api.conftest import client_of

    ada, bob = (django_user_model.objects.create_user(name) for name in ("ada", "bob"))
    backtest = run()
    Backtest.objects.filter(pk=backtest.pk).update(owner=ada)
    url = f"/api/v1/backtests/{backtest.pk}"
    for path in ("report", "archive"):
        assert client_of(bob).get(f"{url}/{path}/").status_code == 404
        assert client.get(f"{url}/{path}/").status_code in (401, 403)
    answer = client_of(ada).get(f"{url}/report/")
    assert answer.streaming
    assert answer["Content-Disposition"] == f'attachment; filename="backtest-{backtest.pk}.html"'
    assert b"</html>" in b"".join(answer.streaming_content)
    answer = client_of(ada).get(f"{url}/archive/")
    assert answer.streaming
    assert verify_archive(io.BytesIO(b"".join(answer.streaming_content))).is_confirmed


def test_what_has_no_result_has_neither(btc, django_user_model):
    from backtests.services import request_backtest
    from tests.marketdata.api.conftest import client_of

    ada = django_user_model.objects.create_user("ada")
    waiting = request_backtest(BacktestRequest(**ASKED), owner=ada)
    for path in ("report", "archive"):
        answer = client_of(ada).get(f"/api/v1/backtests/{waiting.pk}/{path}/")
        assert answer.status_code == 409
        assert "is waiting" in answer.json()["detail"]
