"""The Strategies page and the form of a configuration."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from strategies.domain.registry import STRATEGIES
from strategies.loading import checked
from strategies.models import StrategyConfig
from strategies.services import create_config, request_check, use_config
from tests.marketdata.web.conftest import client_of

NEW = "/strategies/configs/new/"
FORM = {
    "name": "quick",
    "timeframe": "15m",
    "params.fast": "5",
    "params.slow": "20",
    "params.sides": "long",
}


@pytest.fixture
def ann(db):
    return get_user_model().objects.create_user("ann")


@pytest.fixture
def reader(ann):
    return client_of(ann)


@pytest.fixture
def stranger(db):
    return client_of(get_user_model().objects.create_user("bob"))


def kept(owner, name="quick", **params):
    draft = {"name": name, "strategy": "ema_crossover", "timeframe": "1h", "params": params}
    return create_config(owner, checked(draft))


def test_every_strategy_says_what_it_does_and_takes(reader):
    html = reader.get("/strategies/").content.decode()
    for key, strategy in STRATEGIES.items():
        assert f'data-strategy="{key}"' in html
        assert strategy.title in html
    assert "Candles of the slow average." in html
    assert 'aria-current="page">Strategies</a>' in html


def test_an_own_strategy_that_cannot_be_loaded_says_why(reader, settings, tmp_path):
    (tmp_path / "broken.py").write_text("import nothing_like_this\n")
    settings.STRATEGIES_DIR = str(tmp_path)
    page = reader.get("/strategies/").content.decode()
    assert 'data-part="/strategies/own"' in page
    html = reader.get("/strategies/own").content.decode()
    assert "It cannot be used" in html
    assert "nothing_like_this" in html


def test_a_configuration_is_made(reader, ann):
    answer = reader.post(f"{NEW}?strategy=ema_crossover", FORM)
    assert answer.url == "/strategies/"
    config = StrategyConfig.objects.get()
    assert (config.owner, config.name, config.timeframe) == (ann, "quick", "15m")
    assert config.params == {"fast": 5, "slow": 20, "sides": "long"}


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({"params.fast": "x"}, "params.fast", "expected a number"),
        ({"params.fast": "30"}, "params.fast", "expected a value below slow"),
        ({"name": ""}, "name", "This field is required."),
        ({"timeframe": "2m"}, "timeframe", "Select a valid choice"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(reader, changes, name, reason):
    html = reader.post(f"{NEW}?strategy=ema_crossover", FORM | changes).content.decode()
    shown = html.split(f'id="id_{name}_error">')[1].split("<")[0]
    assert reason in shown
    assert not StrategyConfig.objects.exists()


def test_a_name_is_given_once(reader, ann):
    kept(ann)
    html = reader.post(f"{NEW}?strategy=ema_crossover", FORM).content.decode()
    assert "there is a configuration called" in html


def test_a_change_of_one_that_was_used_is_its_next_version(reader, ann):
    config = kept(ann)
    url = f"/strategies/configs/{config.pk}/"
    assert 'value="12"' in reader.get(url).content.decode()
    reader.post(url, FORM | {"name": "another"})
    config.refresh_from_db()
    assert (config.name, config.version, config.params["fast"]) == ("quick", 1, 5)
    use_config(config)
    reader.post(url, FORM | {"params.fast": "6"})
    assert list(StrategyConfig.objects.values_list("version", flat=True)) == [2, 1]


def test_everybodys_are_copied_and_not_changed(reader):
    config = kept(None, fast=7)
    html = reader.get("/strategies/").content.decode()
    assert f'href="{NEW}?from={config.pk}"' in html
    assert 'value="7"' in reader.get(NEW, {"from": config.pk}).content.decode()
    assert reader.get(f"/strategies/configs/{config.pk}/").status_code == 403


def test_others_configurations_are_not_found(ann, stranger):
    config = kept(ann, "secret")
    assert "secret" not in stranger.get("/strategies/").content.decode()
    assert stranger.get(f"/strategies/configs/{config.pk}/").status_code == 404
    assert stranger.get(NEW, {"from": config.pk}).status_code == 404
    assert stranger.post(f"/strategies/configs/{config.pk}/delete").status_code == 404
    assert StrategyConfig.objects.exists()


def test_a_check_under_way_is_followed_and_its_proofs_are_shown(reader, ann):
    config = kept(ann)
    job = request_check(config, ann)
    part = "/strategies/of?key=ema_crossover"
    html = reader.get(part).content.decode()
    assert f'data-topic="{job.topic}"' in html
    proofs = [{"name": "look_ahead", "is_passed": False, "detail": "candle 7", "compared": 1}]
    told = {"is_proven": False, "proofs": proofs, "proven_at": job.created_at}
    StrategyConfig.objects.update(proven_code="x", **told)
    job.delete()
    html = reader.get(part).content.decode()
    assert "Fails its proofs" in html
    assert "candle 7" in html


def test_a_configuration_is_deleted(reader, ann):
    config = kept(ann)
    reader.post(f"/strategies/configs/{config.pk}/delete")
    assert not StrategyConfig.objects.exists()


@pytest.mark.parametrize("path", [f"{NEW}?strategy=none", NEW, "/strategies/of?key=none"])
def test_an_unknown_strategy_is_not_found(reader, path):
    assert reader.get(path).status_code == 404
