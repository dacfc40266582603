"""REST of strategies and configurations: what is given, refused and hidden."""

import pytest

from strategies.catalogue import keys
from strategies.domain.params import params_schema
from strategies.domain.registry import STRATEGIES
from strategies.loading import SHIPPED
from strategies.models import StrategyConfig
from strategies.proving import run_check
from strategies.services import load_configs, use_config
from tcpdashboard.common.jobs.runner import run_job
from tcpdashboard.common.models import Job
from tests.strategies.conftest import client_of

URL = "/api/v1/strategy-configs/"
DRAFT = {
    "name": "Quick",
    "strategy": "ema_crossover",
    "timeframe": "1h",
    "params": {"fast": 5, "slow": 20},
}


@pytest.fixture
def client(ada):
    return client_of(ada)


def created(client, **changes):
    answer = client.post(URL, DRAFT | changes)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_every_strategy_is_listed_with_the_schema_of_its_parameters(client):
    answer = client.get("/api/v1/strategies/").json()
    assert [each["key"] for each in answer] == list(STRATEGIES)
    ema = answer[0]
    assert ema["schema"] == params_schema(STRATEGIES["ema_crossover"].parameters)
    assert ema["parameters"][0] == {
        "kind": "whole",
        "name": "fast",
        "title": "Fast period",
        "default": 12,
        "min": 1,
        "max": 400,
        "help": "Candles of the quick average, below the slow.",
    }
    assert (ema["is_own"], ema["has_steps"], ema["error"]) == (False, True, None)


def test_own_strategies_are_listed_even_broken_ones(client, own_folder):
    answer = {each["key"]: each for each in client.get("/api/v1/strategies/").json()}
    assert list(answer) == keys()
    assert answer["own:mine"]["title"] == "My own"
    assert "broken.py, line 2: SyntaxError" in answer["own:broken"]["error"]
    assert client.get("/api/v1/strategies/own:broken/").json() == answer["own:broken"]


def test_an_unknown_strategy_is_answered_with_the_nearest(client):
    answer = client.get("/api/v1/strategies/macdd/")
    assert answer.status_code == 404
    assert "did you mean 'macd'?" in answer.json()["detail"]


def test_a_configuration_is_created_with_all_parameters(client):
    answer = created(client)
    assert answer["params"] == {"fast": 5, "slow": 20, "sides": "long"}
    assert (answer["owner"], answer["version"], answer["is_proven"]) == ("ada", 1, None)
    assert client.get(f"{URL}{answer['id']}/").json() == answer


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"strategy": "nothing"}, "strategy"),
        ({"timeframe": "2h"}, "timeframe"),
        ({"timeframe": None}, "timeframe"),
        ({"name": ""}, "name"),
        ({"name": ["x"]}, "name"),
        ({"params": 5}, "params"),
        ({"params": {"fast": "quick"}}, "params.fast"),
        ({"params": {"fast": 21, "slow": 20}}, "params.fast"),
        ({"params": {"fast": 1e300}}, "params.fast"),
        ({"params": {"fast": None}}, "params.fast"),
        ({"params": {"fast": {"a": 1}}}, "params.fast"),
        ({"params": {"speed": 1}}, "params.speed"),
        ({"version": 7}, "version"),
        ({"owner": "bob"}, "owner"),
    ],
)
def test_a_malformed_configuration_is_refused_by_field_and_nothing_is_stored(
    client, changes, field
):
    answer = client.post(URL, DRAFT | changes)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert not StrategyConfig.objects.exists()


@pytest.mark.parametrize("body", [[], "x", 5, None, [DRAFT]])
def test_a_body_that_is_no_object_is_refused(client, body):
    assert client.post(URL, body).status_code == 400
    assert not StrategyConfig.objects.exists()


def test_a_name_is_given_once(client):
    created(client)
    answer = client.post(URL, DRAFT)
    assert answer.status_code == 400
    assert "already" in answer.json()["errors"]["name"][0]


def test_a_change_of_a_used_configuration_is_its_next_version(client):
    first = created(client)
    changed = client.patch(f"{URL}{first['id']}/", {"params": {"fast": 6}}).json()
    assert (changed["id"], changed["version"]) == (first["id"], 1)
    assert changed["params"] == {"fast": 6, "slow": 26, "sides": "long"}
    use_config(StrategyConfig.objects.get())
    later = client.patch(f"{URL}{first['id']}/", {"timeframe": "15m"}).json()
    assert (later["version"], later["timeframe"], later["params"]) == (2, "15m", changed["params"])
    versions = client.get(f"{URL}{later['id']}/versions/").json()["results"]
    assert [each["version"] for each in versions] == [2, 1]
    assert [each["id"] for each in client.get(URL).json()["results"]] == [later["id"]]


def test_a_name_cannot_be_changed(client):
    first = created(client)
    answer = client.patch(f"{URL}{first['id']}/", {"nam": "Other"})
    assert answer.status_code == 400
    assert StrategyConfig.objects.get().name == "Quick"


def test_deleting_removes_it_from_the_list(client):
    first = created(client)
    assert client.delete(f"{URL}{first['id']}/").status_code == 204
    assert client.get(URL).json()["results"] == []


def test_others_configurations_do_not_exist(client, bob):
    other = client_of(bob)
    theirs = created(other)
    for answer in (
        client.get(f"{URL}{theirs['id']}/"),
        client.patch(f"{URL}{theirs['id']}/", {"timeframe": "1m"}),
        client.delete(f"{URL}{theirs['id']}/"),
        client.get(f"{URL}{theirs['id']}/versions/"),
        client.post(f"{URL}{theirs['id']}/check/"),
    ):
        assert answer.status_code == 404
    assert client.get(URL).json()["results"] == []
    created(client)


def test_everybodys_are_looked_at_and_not_changed(client):
    load_configs(SHIPPED)
    listed = client.get(URL, {"strategy": "rsi"}).json()["results"]
    assert [each["owner"] for each in listed] == [None]
    target = f"{URL}{listed[0]['id']}/"
    assert client.get(target).status_code == 200
    assert client.patch(target, {"timeframe": "1m"}).status_code == 403
    assert client.delete(target).status_code == 403


def test_nobody_without_a_login_sees_anything(db):
    from rest_framework.test import APIClient

    for url in (URL, "/api/v1/strategies/"):
        assert APIClient().get(url).status_code == 403


def test_the_list_comes_in_pages(client):
    for number in range(3):
        created(client, name=f"C{number}")
    page = client.get(URL, {"page_size": 2}).json()
    assert [each["name"] for each in page["results"]] == ["C0", "C1"]
    rest = client.get(page["next"]).json()
    assert [each["name"] for each in rest["results"]] == ["C2"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_check_is_a_job_that_stores_its_verdict(client):
    first = created(client)
    answer = client.post(f"{URL}{first['id']}/check/")
    assert answer.status_code == 202
    run_job(answer.json()["id"])
    job = Job.objects.get()
    assert (job.state, job.result["is_passed"]) == (Job.State.DONE, True)
    checked = client.get(f"{URL}{first['id']}/").json()
    assert checked["is_proven"] is True
    assert {proof["name"] for proof in checked["proofs"]} == {"look_ahead", "warmup", "steps"}
    assert run_check.__module__ == "strategies.proving"


def test_a_misspelt_filter_never_passes_silently(client):
    answer = client.get(URL, {"stratgy": "rsi"})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["stratgy"]
