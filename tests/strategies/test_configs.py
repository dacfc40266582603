"""Parameter sets: saved in versions, kept once used, loaded all or none, proven."""

import json

import jsonschema
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from marketdata.domain.timeframe import Timeframe
from strategies.catalogue import describe_strategy
from strategies.domain.registry import STRATEGIES
from strategies.loading import SHIPPED, InvalidConfig, checked, read_folder, schema_of
from strategies.models import StrategyConfig
from strategies.proving import ConfigMoved, has_standing_proof, prove_config
from strategies.services import create_config, delete_config, load_configs, save_config, use_config

# Not within a transaction: the database ends sessions that idle in one.
outside = pytest.mark.django_db(transaction=True)


def draft(name="Quick", fast=5, **changes):
    given = {"name": name, "strategy": "ema_crossover", "timeframe": "1h", "params": {"fast": fast}}
    return checked(given | changes)


def stored():
    return [(each.version, each.params["fast"]) for each in StrategyConfig.objects.all()]


def test_a_draft_has_all_parameters():
    assert draft().params == {"fast": 5, "slow": 26, "sides": "long"}


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"strategy": "ema_crosover"}, "strategy", "did you mean 'ema_crossover'?"),
        ({"params": {"fats": 5}}, "params.fats", "did you mean 'fast'?"),
        ({"params": {"fast": 50}}, "params.fast", "expected a value below slow; were 50 and 26"),
        ({"params": {"fast": 0}}, "params.fast", "expected a number from 1 to 400; was 0"),
        ({"params": [5]}, "params", "expected an object"),
        ({"timeframe": "1hr"}, "timeframe", "did you mean '1h'?"),
        ({"name": " "}, "name", "expected 1 to 64 characters"),
        ({"name": "x" * 65}, "name", "expected 1 to 64 characters"),
        ({"parms": {}}, "parms", "did you mean 'params'?"),
    ],
)
def test_a_wrong_parameter_set_names_field_and_reason(changes, field, reason):
    with pytest.raises(InvalidConfig) as refused:
        draft(**changes)
    assert set(refused.value.errors) == {field}
    assert reason in refused.value.errors[field]


def test_what_is_missing_is_named():
    with pytest.raises(InvalidConfig) as refused:
        checked({"strategy": "rsi"})
    assert refused.value.errors == {"name": "it is missing", "timeframe": "it is missing"}


def test_an_unused_configuration_is_changed_in_place(ada):
    first = save_config(ada, draft(fast=5))
    assert save_config(ada, draft(fast=6)).pk == first.pk
    assert stored() == [(1, 6)]


def test_a_used_configuration_stays_and_gets_a_next_version(ada):
    first = save_config(ada, draft(fast=5))
    use_config(first)
    second = save_config(ada, draft(fast=6))
    assert stored() == [(2, 6), (1, 5)]
    assert (second.used_at, second.is_proven) == (None, None)


def test_saving_the_same_again_makes_no_version(ada):
    first = save_config(ada, draft())
    use_config(first)
    assert save_config(ada, draft()).pk == first.pk
    assert len(stored()) == 1


def test_the_database_itself_keeps_what_was_used(ada):
    config = save_config(ada, draft())
    use_config(config)
    row = StrategyConfig.objects.filter(pk=config.pk)
    for change in ({"params": {}}, {"strategy": "rsi"}, {"timeframe": "1m"}, {"used_at": None}):
        refused = pytest.raises(IntegrityError, match="was used and cannot be changed")
        with refused, transaction.atomic():
            row.update(**change)
    # The verdict is no part of what it decides.
    row.update(is_proven=True, proven_at=Now(), proven_code="0" * 64)
    assert row.get().is_proven


def test_the_first_use_is_the_one_that_is_noted(ada):
    config = save_config(ada, draft())
    use_config(config)
    first = config.used_at
    use_config(config)
    assert config.used_at == first


def test_two_of_one_name_are_refused_but_two_people_may_have_it(ada, bob):
    create_config(ada, draft())
    create_config(bob, draft())
    create_config(None, draft())
    for owner in (ada, None):
        with pytest.raises(InvalidConfig, match="there is a configuration called 'Quick' already"):
            create_config(owner, draft())
    assert StrategyConfig.objects.newest().count() == 3


def test_a_version_exists_once_even_without_an_owner(db):
    create_config(None, draft())
    with pytest.raises(IntegrityError), transaction.atomic():
        StrategyConfig.objects.create(name="Quick", strategy="rsi", timeframe="1h")


def test_the_newest_versions_are_what_is_listed(ada):
    for fast in (5, 6, 7):
        use_config(save_config(ada, draft(fast=fast)))
    save_config(None, draft("Other", fast=9))
    newest = StrategyConfig.objects.newest()
    assert [(each.name, each.params["fast"]) for each in newest] == [("Other", 9), ("Quick", 7)]


def test_deleting_hides_what_was_used_and_removes_the_rest(ada):
    use_config(save_config(ada, draft(fast=5)))
    delete_config(save_config(ada, draft(fast=6)))
    assert stored() == [(1, 5)]
    assert not StrategyConfig.objects.newest().exists()


def test_a_deleted_name_may_be_used_again_with_the_next_version(ada):
    config = save_config(ada, draft(fast=5))
    use_config(config)
    delete_config(config)
    assert create_config(ada, draft(fast=6)).version == 2


def test_the_shipped_parameter_sets_are_loaded_and_loaded_again(db):
    loaded = load_configs(SHIPPED)
    assert {config.strategy for config in loaded} == set(STRATEGIES)
    assert [each.pk for each in load_configs(SHIPPED)] == [each.pk for each in loaded]
    assert all(config.owner is None for config in loaded)


def write(folder, stem, **content):
    (folder / f"{stem}.json").write_text(json.dumps(content))


def test_loading_is_all_or_nothing_and_names_every_wrong_file(tmp_path, db):
    write(tmp_path, "a", name="A", strategy="rsi", timeframe="1h")
    write(tmp_path, "b", name="B", strategy="rsi", timeframe="1h", params={"perod": 3})
    (tmp_path / "c.json").write_text("{")
    (tmp_path / "d.json").write_text("[]")
    with pytest.raises(InvalidConfig) as refused:
        load_configs(tmp_path)
    assert set(refused.value.errors) == {"b.json", "c.json", "d.json"}
    assert "did you mean 'period'?" in refused.value.errors["b.json"]
    assert not StrategyConfig.objects.exists()


def test_two_files_of_one_name_are_refused(tmp_path):
    for name in ("a", "b"):
        write(tmp_path, name, name="Same", strategy="rsi", timeframe="1h")
    with pytest.raises(InvalidConfig, match="Same: two files have this name"):
        read_folder(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InvalidConfig, match="there is no JSON file"):
        read_folder(tmp_path)


def test_the_shipped_schema_is_that_of_the_parameters_and_accepts_the_shipped_files():
    schema = json.loads((SHIPPED / "schema.json").read_text())
    assert schema == json.loads(json.dumps(schema_of(describe_strategy(key) for key in STRATEGIES)))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    files = [json.loads(each.read_text()) for each in SHIPPED.glob("*.json")]
    sets = [content for content in files if "strategy" in content]
    assert len(sets) == len(files) - 1 == 8
    for content in sets:
        validator.validate(content)
        wrong = content | {"params": {**content.get("params", {}), "unheard": 1}}
        assert not validator.is_valid(wrong)


@outside
def test_a_proof_is_stored_with_the_code_it_was_made_for(ada):
    config = save_config(ada, draft())
    verdict = prove_config(config)
    assert verdict.is_passed
    assert config.is_proven
    assert config.proven_at is not None
    assert [proof["name"] for proof in config.proofs] == ["look_ahead", "warmup", "steps"]
    assert config.proven_code == describe_strategy("ema_crossover").code_hash
    assert has_standing_proof(config)


@outside
def test_a_proof_falls_with_a_change_of_parameters(ada):
    config = save_config(ada, draft(fast=5))
    prove_config(config)
    assert save_config(ada, draft(fast=6)).is_proven is None


@outside
def test_a_configuration_that_changes_while_it_is_proven_is_proven_as_it_is_then(ada):
    def rsi(**params):
        given = {"name": "R", "strategy": "rsi", "timeframe": "1m", "params": params}
        return save_config(ada, checked(given))

    as_read = rsi(period=14)
    # So far out that it decides nothing, which proves nothing.
    rsi(period=200, oversold=1, overbought=99)
    assert not prove_config(as_read).is_passed
    assert as_read.params["period"] == 200
    assert as_read.is_proven is False


@outside
def test_a_configuration_that_is_deleted_while_it_is_proven_says_so(ada):
    config = save_config(ada, draft())
    StrategyConfig.objects.filter(pk=config.pk).delete()
    with pytest.raises(ConfigMoved, match="was deleted while it was proven"):
        prove_config(config)


@outside
def test_a_configuration_that_changes_each_time_it_is_proven_is_given_up(ada):
    config = save_config(ada, draft(fast=5))
    row, periods = StrategyConfig.objects.filter(pk=config.pk), iter(range(6, 20))

    def change_first(execute, statement, values, many, context):
        if "proven_code" in statement and statement.startswith("UPDATE"):
            row.update(params={**config.params, "fast": next(periods)})
        return execute(statement, values, many, context)

    with (
        connection.execute_wrapper(change_first),
        pytest.raises(ConfigMoved, match="changes too often to be proven: try again"),
    ):
        prove_config(config)
    assert row.get().is_proven is None


@outside
@pytest.mark.slow
def test_a_proof_stands_only_while_the_code_is_the_same(ada, own_folder):
    config = save_config(ada, checked({"name": "M", "strategy": "own:mine", "timeframe": "1m"}))
    prove_config(config)
    assert has_standing_proof(config)
    file = own_folder / "mine.py"
    file.write_text(file.read_text().replace("1.0, 0.0", "1.0, -1.0") + "\n# changed\n")
    assert not has_standing_proof(config)


@outside
def test_a_failed_proof_is_stored_too(ada, own_folder):
    file = own_folder / "mine.py"
    file.write_text(file.read_text().replace("candles.close > mean", "candles.close[::-1] > mean"))
    config = save_config(ada, checked({"name": "M", "strategy": "own:mine", "timeframe": "1m"}))
    assert not prove_config(config).is_passed
    assert config.is_proven is False
    assert not has_standing_proof(config)


def test_every_timeframe_can_be_stored(ada):
    for timeframe in Timeframe:
        config = save_config(ada, draft(timeframe.value, timeframe=timeframe.value))
        assert Timeframe(config.timeframe) is timeframe
