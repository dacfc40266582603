"""REST of bots: making them, ordering them, reading what they did, and files of it."""

from __future__ import annotations

import csv
import io
import json

import pytest

from bots.models import Bot, BotCommand
from tcpdashboard.common.models import Job
from tests.bots.web.rows import add_equity, add_fill, make_bot, make_config, run_bot

pytestmark = pytest.mark.django_db

LISTS = ("fills", "orders", "signals", "ledger", "events", "commands", "runs", "parity")


@pytest.fixture
def api(anns, browser_of):
    """A client of the owner of a bot that runs."""
    return Api(browser_of(anns.owner))


class Api:
    def __init__(self, client):
        self.client = client

    def get(self, path, **query):
        return self.client.get(f"/api/v1/{path}", query)

    def send(self, path, body=None, method="post"):
        send = getattr(self.client, method)
        return send(f"/api/v1/{path}", json.dumps(body or {}), content_type="application/json")


def test_a_bot_is_made_with_the_fields_of_its_file(ann, btc, browser_of):
    make_config()
    given = {"name": "via api", "symbol": "BTC-USDT", "config": "crossing"}
    answer = Api(browser_of(ann)).send("bots/", given | {"trading": {"stop_loss": "0.02"}})
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["state"], told["trading"]["stop_loss"]) == ("created", "0.02")
    assert told["figures"] is None
    assert told["topic"] == f"bot:{ann.pk}:{told['id']}"


def test_everything_that_is_wrong_is_told_by_field(ann, btc, browser_of):
    answer = Api(browser_of(ann)).send(
        "bots/", {"name": "", "symbol": "NO-SUCH", "config": "none", "colour": "red"}
    )
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"name", "symbol", "config", "colour"}


@pytest.mark.parametrize("body", ["[]", "7", "null", '"text"', "[1, 2]"])
def test_a_body_that_is_no_object_is_refused(ann, browser_of, body):
    client = browser_of(ann)
    for path in ("bots/", "bots/bulk/", "bots/kill/"):
        answer = client.post(f"/api/v1/{path}", body, content_type="application/json")
        assert answer.status_code == 400, path
    answer = client.patch("/api/v1/bot-limits/", body, content_type="application/json")
    assert answer.status_code == 400


def test_a_running_bot_tells_its_figures_as_decimals(api, anns):
    told = api.get(f"bots/{anns.pk}/").json()
    assert told["figures"]["equity"] == "10000"
    assert told["figures"]["total"] == "0"
    assert told["parity"] == {"known": "matched", "repaired": "diverged"}
    listed = api.get("bots/", state="running", symbol="BTC-USDT").json()["results"]
    assert [one["id"] for one in listed] == [anns.pk]
    assert api.get("bots/", state="stopped").json()["results"] == []


@pytest.mark.parametrize("name", LISTS)
def test_every_list_answers_pages(api, anns, name):
    answer = api.get(f"bots/{anns.pk}/{name}/", page_size=1)
    assert answer.status_code == 200
    assert set(answer.json()) == {"next", "previous", "results"}
    assert api.get(f"bots/{anns.pk}/{name}/", colour="red").status_code == 400


def test_round_trips_are_from_flat_to_flat(api, anns):
    add_fill(anns.run, 3, 45, "0.2", "60500", position="0.2")
    closed, still_open = api.get(f"bots/{anns.pk}/round-trips/").json()
    assert (closed["profit"], closed["fills"]) == ("98", 2)
    assert (still_open["exit"], still_open["profit"]) == (None, None)


def test_equity_is_thinned_and_keeps_its_extremes(ann, btc, browser_of):
    bot = make_bot(ann, btc, config=make_config())
    run = run_bot(bot)
    add_equity(run, [10_000 + (step % 7) for step in range(300)] + [9_000, 12_000])
    told = Api(browser_of(ann)).get(f"bots/{bot.pk}/equity/", max_points=20).json()
    assert len(told["time"]) <= 20
    assert (min(told["equity"]), max(told["equity"])) == (9_000.0, 12_000.0)


@pytest.mark.parametrize("kind", ["fills", "ledger", "equity"])
def test_files_hold_every_row_once_in_order(api, anns, kind, monkeypatch):
    monkeypatch.setattr("bots.api.exports._BLOCK", 1)
    as_csv = b"".join(api.get(f"bots/{anns.pk}/export/{kind}.csv").streaming_content).decode()
    as_json = b"".join(api.get(f"bots/{anns.pk}/export/{kind}.json").streaming_content).decode()
    rows, objects = list(csv.DictReader(io.StringIO(as_csv))), json.loads(as_json)
    assert len(rows) == len(objects) == {"fills": 2, "ledger": 2, "equity": 3}[kind]
    assert [row["time"] for row in rows] == [one["time"] for one in objects]
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)


def test_a_file_without_rows_is_an_empty_list(ann, btc, browser_of):
    bot = make_bot(ann, btc, config=make_config())
    answer = Api(browser_of(ann)).get(f"bots/{bot.pk}/export/fills.json")
    assert b"".join(answer.streaming_content) == b"[]"


def test_pausing_is_an_order_that_the_step_will_find(api, anns):
    answer = api.send(f"bots/{anns.pk}/pause/", {"why": "news"})
    assert answer.status_code == 200, answer.content
    command = BotCommand.objects.get(bot=anns)
    assert (command.kind, command.why, command.asked_by) == ("pause", "news", anns.owner)


def test_an_order_that_cannot_be_is_a_conflict_with_its_reason(api, anns):
    answer = api.send(f"bots/{anns.pk}/start/")
    assert answer.status_code == 409
    assert "running" in answer.json()["detail"]
    assert api.client.delete(f"/api/v1/bots/{anns.pk}/").status_code == 409


def test_stopping_may_keep_the_position(api, anns):
    assert api.send(f"bots/{anns.pk}/stop/", {"keep_position": True}).status_code == 200
    anns.refresh_from_db()
    assert anns.state == "stopping"
    assert not BotCommand.objects.filter(bot=anns).exists()


def test_one_order_to_several_tells_who_refused(api, anns):
    idle = make_bot(anns.owner, anns.instrument, "idle")
    told = api.send("bots/bulk/", {"order": "pause", "bots": [anns.pk, idle.pk, 999]}).json()
    assert told["done"] == [anns.pk]
    assert set(told["refused"]) == {str(idle.pk), "999"}


def test_the_kill_switch_reaches_ones_own_bots_alone(api, anns, bob):
    other = make_bot(bob, anns.instrument, "bobs")
    run_bot(other)
    assert api.send("bots/kill/", {"why": "out"}).json() == {"bots": 1}
    assert list(BotCommand.objects.values_list("bot", "kind")) == [(anns.pk, "halt")]
    assert api.send("bots/kill/", {"everyone": True}).status_code == 403


def test_a_clone_has_the_settings_under_another_name(api, anns):
    answer = api.send(f"bots/{anns.pk}/clone/", {})
    assert answer.status_code == 201, answer.content
    made = Bot.objects.get(pk=answer.json()["id"])
    assert made.name != anns.name
    assert (made.trading, made.config, made.state) == (anns.trading, anns.config, "created")


def test_asking_for_parity_answers_the_job(api, anns):
    answer = api.send(f"bots/{anns.pk}/parity/")
    assert answer.status_code == 202, answer.content
    job = Job.objects.get(pk=answer.json()["id"])
    assert job.owner == anns.owner
    assert job.parameters == {"runs": [anns.run_id]}


def test_limits_are_shares_and_null_for_none(api):
    answer = api.send("bot-limits/", {"max_drawdown": 0.2, "action": "halt"}, "patch")
    assert answer.status_code == 200, answer.content
    told = api.get("bot-limits/").json()
    assert (told["max_drawdown"], told["max_daily_loss"], told["action"]) == (0.2, None, "halt")
    assert api.send("bot-limits/", {"max_drawdown": 20}, "patch").status_code == 400


def test_limits_below_what_is_at_work_answer_a_warning(api):
    told = api.send("bot-limits/", {"max_open_bots": 0}, "patch").json()
    assert told["warning"].startswith("1 of your bots are at work, 0 may be")
    assert api.send("bot-limits/", {"max_open_bots": 1}, "patch").json()["warning"] == ""


def test_the_portfolio_is_ones_own(api, anns, bob, browser_of):
    told = api.get("portfolio/").json()
    assert (told["quote"], told["totals"]["bots"]) == ("USDT", 1)
    assert told["weeks"][0]["fills"] == 2
    assert Api(browser_of(bob)).get("portfolio/").json()["totals"]["bots"] == 0
