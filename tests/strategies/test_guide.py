"""docs/guides/strategies.md says what is so: its commands run, one after the other."""

import re
import shlex

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command

from backtests.models import Backtest
from strategies.domain.registry import STRATEGIES
from strategies.models import StrategyConfig
from tests.backtests.conftest import with_candles
from tests.marketdata.api.conftest import make_instrument

# Not within a transaction: the database ends sessions that idle in one.
outside = pytest.mark.django_db(transaction=True)

GUIDE = (django_settings.BASE_DIR / "docs" / "guides" / "strategies.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@outside
def test_the_commands_of_the_guide_lead_to_a_proven_strategy_with_a_parameter_set(
    tmp_path, settings, ada, capsys
):
    settings.STRATEGIES_DIR = str(tmp_path / "strategies")
    settings.VAR_DIR = tmp_path
    artefacts = {**settings.STORAGES["artefacts"], "OPTIONS": {"location": tmp_path / "artefacts"}}
    settings.STORAGES = {**settings.STORAGES, "artefacts": artefacts}
    sets = tmp_path / "sets"
    sets.mkdir()
    (sets / "slow.json").write_text(blocks("json")[0])
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 9
    with_candles(make_instrument("BTC-USDT"))
    for command in commands:
        words = shlex.split(command.replace("FOLDER", str(sets)).replace("ID", _newest()))
        files = {word: str(tmp_path / word) for word in words if word.startswith("my_breakout.")}
        assert words[:2] == ["./dev", "manage"]
        call_command(*(files.get(word, word) for word in words[2:]))
    out = capsys.readouterr().out
    assert "FAILED" not in out
    assert out.count("passed") == 4
    assert "my_breakout.zip is confirmed" in out
    assert "4 of 4 trials" in out
    assert (tmp_path / "my_breakout.html").exists()
    config = StrategyConfig.objects.get(owner=ada)
    assert (config.strategy, config.params) == ("own:my_breakout", {"fast": 10, "slow": 40})


def _newest() -> str:
    return str(Backtest.objects.values_list("pk", flat=True).first() or 0)


def test_the_guide_lists_every_built_in_strategy():
    rows = re.findall(r"^\| `(\w+)` \|", GUIDE.split("## 7.")[1], re.MULTILINE)
    assert rows == list(STRATEGIES)
