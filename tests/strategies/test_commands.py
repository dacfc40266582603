"""The management commands of strategies."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command

from marketdata.domain.timeframe import Timeframe
from marketdata.storage import write_candles
from strategies.domain.markets import made_up
from strategies.loading import SHIPPED
from strategies.models import StrategyConfig
from strategies.services import delete_config, use_config
from tcpdashboard.common.models import Job
from tests.marketdata.api.conftest import make_instrument

# Not within a transaction: the database ends sessions that idle in one.
outside = pytest.mark.django_db(transaction=True)


def called(capsys, *arguments):
    call_command(*arguments)
    return capsys.readouterr().out


@outside
def test_a_strategy_is_checked_on_made_up_candles(capsys, db):
    out = called(capsys, "check_strategy", "ema_crossover", "--param", "fast=5", "--param=slow=20")
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        ["look_ahead", "passed"],
        ["warmup", "passed"],
        ["steps", "passed"],
    ]
    assert lines[3].endswith("candles, made up")


@outside
def test_a_strategy_is_checked_on_stored_candles(capsys, db):
    instrument = make_instrument("BTC-USDT")
    write_candles(instrument, made_up(4_500, Timeframe.M1).rows, reason="import")
    stored = ("--exchange", "okx-sim", "--symbol", "BTC-USDT")
    out = called(capsys, "check_strategy", "donchian_breakout", *stored)
    assert "FAILED" not in out
    assert "of okx-sim:BTC-USDT" in out


@outside
def test_a_strategy_that_fails_ends_the_command_with_a_one(capsys, db, own_folder):
    file = own_folder / "mine.py"
    file.write_text(file.read_text().replace("candles.close > mean", "candles.close[::-1] > mean"))
    with pytest.raises(SystemExit) as ended:
        call_command("check_strategy", "own:mine")
    assert ended.value.code == 1
    assert "look_ahead FAILED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["emacrossover"], "did you mean 'ema_crossover'"),
        (["rsi", "--param", "period=one"], "period: expected a number; was 'one'"),
        (["rsi", "--param", "period"], "expected --param NAME=VALUE; was 'period'"),
        (["rsi", "--exchange", "okx"], "--exchange and --symbol go together"),
        (["rsi", "--exchange", "okx", "--symbol", "X-Y"], "X-Y"),
    ],
)
def test_a_check_that_cannot_be_made_says_why(arguments, reason, db):
    with pytest.raises(CommandError, match=reason):
        call_command("check_strategy", *arguments)


def test_parameter_sets_are_loaded_for_everybody_or_for_one(capsys, ada):
    assert "EMA 12/26 v1: ema_crossover on 1h" in called(capsys, "load_strategy_configs")
    called(capsys, "load_strategy_configs", str(SHIPPED), "--owner", "ada")
    assert StrategyConfig.objects.filter(owner=None).count() == 8
    assert StrategyConfig.objects.filter(owner=ada).count() == 8


def test_what_comes_along_is_loaded_once_with_its_proofs_asked_for(capsys, db):
    assert "EMA 12/26 v1" in called(capsys, "load_strategy_configs", "--once")
    asked = Job.objects.filter(kind="strategy_check")
    assert {job.parameters["config"] for job in asked} == set(
        StrategyConfig.objects.values_list("pk", flat=True)
    )

    kept = StrategyConfig.objects.get(name="EMA 12/26")
    use_config(kept)
    for config in StrategyConfig.objects.all():
        delete_config(config)
    assert called(capsys, "load_strategy_configs", "--once") == ""
    assert list(StrategyConfig.objects.exclude(deleted_at=None)) == [kept]
    assert asked.count() == 8


def test_a_wrong_file_stops_the_loading_with_its_name(tmp_path, db):
    (tmp_path / "mine.json").write_text('{"name": "A", "strategy": "rsi", "timefame": "1h"}')
    with pytest.raises(CommandError, match=r"nothing was saved\nmine.json: timefame: .*timeframe"):
        call_command("load_strategy_configs", str(tmp_path))
    with pytest.raises(CommandError, match="there is no user 'eve'"):
        call_command("load_strategy_configs", "--owner", "eve")


def test_the_schema_of_parameter_sets_is_printed(capsys, db):
    schema = json.loads(called(capsys, "load_strategy_configs", "--schema"))
    assert schema == json.loads((SHIPPED / "schema.json").read_text())


@pytest.mark.slow
@pytest.mark.timeout(60)
@outside
def test_a_new_strategy_passes_its_own_test_and_every_proof(capsys, tmp_path, settings, db):
    settings.STRATEGIES_DIR = str(tmp_path / "own")
    out = called(capsys, "new_strategy", "my_breakout")
    assert out.splitlines()[-1] == "Next: manage.py check_strategy own:my_breakout"
    code = "import pytest; raise SystemExit(pytest.main(['-q', '-p', 'no:cacheprovider', '.']))"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path[:0] = [{str(django_settings.BASE_DIR)!r}]; {code}",
        ],
        cwd=tmp_path / "own",
        capture_output=True,
        text=True,
        timeout=50,
        # Our plugins take longer to load than its tests to run.
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
    assert "FAILED" not in called(capsys, "check_strategy", "own:my_breakout")


def test_a_new_strategy_overwrites_nothing_and_needs_a_name(tmp_path, db):
    call_command("new_strategy", "mine", "--folder", str(tmp_path))
    (tmp_path / "mine.py").write_text("mine")
    for name, reason in (
        ("mine", "is there already"),
        ("not a name", "expected a name"),
        ("class", "expected a name"),
        ("test_mine", "expected a name"),
    ):
        with pytest.raises(CommandError, match=reason):
            call_command("new_strategy", name, "--folder", str(tmp_path))
    assert (tmp_path / "mine.py").read_text() == "mine"
    with pytest.raises(CommandError, match="set TCPD_STRATEGIES_DIR"):
        call_command("new_strategy", "other")
