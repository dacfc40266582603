"""docs/guides/strategies.md says what is so: its commands run, one after the other."""

import re
import shlex

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command

from strategies.domain.registry import STRATEGIES
from strategies.models import StrategyConfig

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
    sets = tmp_path / "sets"
    sets.mkdir()
    (sets / "slow.json").write_text(blocks("json")[0])
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 4
    for command in commands:
        words = shlex.split(command.replace("FOLDER", str(sets)))
        assert words[:2] == ["./dev", "manage"]
        call_command(*words[2:])
    out = capsys.readouterr().out
    assert "FAILED" not in out
    assert out.count("passed") == 4
    config = StrategyConfig.objects.get(owner=ada)
    assert (config.strategy, config.params) == ("own:my_breakout", {"fast": 10, "slow": 40})


def test_the_guide_lists_every_built_in_strategy():
    rows = re.findall(r"^\| `(\w+)` \|", GUIDE.split("## 5.")[1], re.MULTILINE)
    assert rows == list(STRATEGIES)
