"""The commands of bots: what they make and say, and that they make nothing by halves."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import jsonschema
import pytest
from django.core.management import CommandError, call_command

from bots.domain.drafts import schema
from bots.models import Bot, BotCommand
from tests.bots.people import GIVEN, make_bot, make_config, make_market, make_person, store_minute
from tests.bots.rows import make_running

pytestmark = pytest.mark.django_db

CONFIGS = Path(__file__).resolve().parents[2] / "bots" / "configs"


@pytest.fixture(autouse=True)
def _exchange(settings):
    settings.EXCHANGE = "okx-sim"


@pytest.fixture
def ada():
    return make_person("ada")


@pytest.fixture
def market(ada):
    make_market()
    return make_config()


def run(*arguments, **options):
    out = StringIO()
    call_command(*arguments, stdout=out, **options)
    return out.getvalue()


def written(tmp_path, content):
    file = tmp_path / "bots.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def refusal(*arguments, **options):
    with pytest.raises(CommandError) as refused:
        run(*arguments, **options)
    return str(refused.value)


def test_a_file_of_several_bots_is_made_whole(market, tmp_path):
    file = written(tmp_path, [{**GIVEN, "name": "one"}, {**GIVEN, "name": "two"}])
    told = run("create_bot", config=file, owner="ada")
    assert list(Bot.objects.order_by("pk").values_list("name", flat=True)) == ["one", "two"]
    assert "one: EMA 3/9 v1 on okx-sim:BTC-USDT, created" in told


def test_one_wrong_field_in_one_of_them_and_none_is_made(market, tmp_path):
    file = written(tmp_path, [GIVEN, {**GIVEN, "name": "two", "tradin": {}, "config": "EMA 3"}])
    told = refusal("create_bot", config=file, owner="ada")
    assert told.splitlines()[0] == "nothing was made"
    assert "bot 2, tradin: there is no such field; did you mean 'trading'?" in told
    assert "bot 2, config: there is no configuration 'EMA 3'; did you mean 'EMA 3/9'?" in told
    assert not Bot.objects.exists()


def test_two_of_one_name_and_none_is_made(market, tmp_path):
    told = refusal("create_bot", config=written(tmp_path, [GIVEN, GIVEN]), owner="ada")
    assert "there is a bot called 'EMA on BTC' already" in told
    assert not Bot.objects.exists()


def test_one_that_cannot_start_and_none_is_made(market, tmp_path):
    make_config(name="unproved", proven=False)
    file = written(tmp_path, [GIVEN, {**GIVEN, "name": "two", "config": "unproved"}])
    assert "was not proved yet" in refusal("create_bot", config=file, owner="ada", start=True)
    assert not Bot.objects.exists()


@pytest.mark.parametrize("content", ["{", "[]", "[1]", "7", '"x"'])
def test_what_is_no_description_of_bots_is_said_to_be_none(ada, tmp_path, content):
    assert "bots.json: " in refusal("create_bot", config=written(tmp_path, content), owner="ada")


def test_a_file_that_is_not_there_and_an_unknown_owner_are_named(ada, tmp_path):
    assert "nowhere.json" in refusal("create_bot", config=tmp_path / "nowhere.json", owner="ada")
    file = written(tmp_path, GIVEN)
    assert "did you mean 'ada'?" in refusal("create_bot", config=file, owner="adda")
    assert "--config" in refusal("create_bot")


def test_a_bot_on_stored_candles_is_made_and_started_at_once(market, tmp_path):
    store_minute(make_market(), "2026-01-01T00:00Z")
    file = written(tmp_path, GIVEN)
    options = {"begin": "2026-01-01T00:00Z", "speed": 120.0, "name": "again", "start": True}
    run("create_bot", config=file, owner="ada", **options)
    bot = Bot.objects.get()
    assert (bot.name, bot.state, bot.drive, bot.drive_speed) == (
        *("again", "starting"),
        *("stored", 120.0),
    )


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("[!s]*.json")), ids=lambda file: file.stem)
def test_the_examples_are_what_their_schema_says_and_can_be_made(ada, file):
    jsonschema.validate(json.loads(file.read_text()), schema())
    make_market()
    make_config(name="EMA 12/26", timeframe="1h")
    run("create_bot", config=file, owner="ada")
    assert Bot.objects.count() == 1


def test_the_schema_beside_the_examples_is_the_one_of_the_code():
    assert json.loads((CONFIGS / "schema.json").read_text()) == schema()
    assert json.loads(run("create_bot", schema=True)) == schema()


def test_bots_are_listed_for_people_and_for_programs(ada):
    make_running(make_bot(ada))
    make_bot(make_person("bob"), "bobs")
    told = run("bots")
    assert "running   ada" in told
    assert "created   bob" in told
    (row,) = json.loads(run("bots", owner="bob", json=True))
    assert (row["name"], row["state"], row["cursor"]) == ("bobs", "created", None)
    assert "no bot like this" in run("bots", state="halted")


def test_a_bot_is_started_by_name_and_stopped_by_id(ada):
    bot = make_bot(ada)
    assert "is starting" in run("start_bot", bot.name)
    assert "is stopped" in run("stop_bot", str(bot.pk))
    assert "cannot be stopped" in refusal("stop_bot", str(bot.pk))


def test_stopping_may_keep_the_position(ada):
    bot = make_running(make_bot(ada))
    run("stop_bot", bot.name, keep_position=True)
    assert not BotCommand.objects.exists()


def test_a_name_that_several_people_use_is_not_guessed(ada):
    make_bot(ada)
    make_bot(make_person("bob"))
    assert "by its id" in refusal("start_bot", "EMA on BTC")
    assert "did you mean 'EMA on BTC'?" in refusal("start_bot", "EMA on BT")


def test_starting_can_prove_first(market, ada):
    make_config(name="unproved", proven=False)
    bot = make_bot(ada, config="unproved")
    assert "was not proved yet" in refusal("start_bot", bot.name)
    assert "is starting" in run("start_bot", bot.name, prove=True)


def test_the_kill_switch_works_without_any_worker(ada, monkeypatch):
    monkeypatch.setattr("bots.management.commands.kill_bots._WORKERS_S", 0.0)
    for name in ("one", "two"):
        make_running(make_bot(ada, name))
    told = run("kill_bots", owner="ada")
    assert told.startswith("2 of 2 halted in ")
    assert set(Bot.objects.values_list("state", "desired")) == {("halted", "stopped")}
    assert not BotCommand.objects.waiting().exists()


def test_the_kill_switch_asks_for_whom(ada):
    with pytest.raises(CommandError, match="required"):
        call_command("kill_bots")
    assert run("kill_bots", everyone=True).startswith("0 of 0 halted")
