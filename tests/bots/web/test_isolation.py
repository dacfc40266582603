"""Two people's bots: neither sees, starts nor stops the other's, wherever one tries.

Addresses are taken from the resolver, so that a new one cannot be forgotten: of an address about
one bot the other person gets 404, and of a list or a figure nothing that names the bot.
"""

from __future__ import annotations

import json
import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models.signals import pre_save
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from bots.models import (
    Bot,
    BotCommand,
    BotEvent,
    BotRun,
    OwnerLimits,
    OwnerVerdict,
    ParityReport,
)
from bots.publishing import bot_topic, bots_topic
from tcpdashboard.common.models import Job
from tcpdashboard.common.topics import ForbiddenTopic
from tcpdashboard.routing import TOPICS
from tests.bots.web.rows import START_MS, make_bot, make_config
from tests.people import make_staff

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(120)]

# Two names that stand on no page by themselves.
NAME, VERDICT = "anns-only-bot", "anns_own_limit"
OF_ONE = re.compile(r"^(bots|api/v1/bots|api/v1/bot-verdicts|portfolio/verdicts)/")
METHODS = ("get", "post", "patch", "put", "delete")
BODY = {"name": "stolen", "why": "x", "notes": "stolen", "order": "stop", "everyone": False}
FILLERS = {"kind": "fills", "suffix": "csv", "format": "json", "timeframe": "1m"}
QUERY = f"start={START_MS}&end={START_MS + 3_600_000}&exchange=okx-sim&symbol=BTC-USDT&quote=USDT"


def addresses(resolver=None, before=""):
    """Yield every address of the site that has to do with bots, with its parameters' names."""
    for each in (resolver or get_resolver()).url_patterns:
        route = before + str(each.pattern).removeprefix("^")
        if isinstance(each, URLResolver):
            yield from addresses(each, route)
        elif isinstance(each, URLPattern) and "bots." in each.lookup_str:
            yield route, tuple(each.pattern.regex.groupindex)


def filled(route, values):
    """Return an address with its parameters filled in."""
    path = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", lambda m: str(values[m[1]]), route)
    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda m: str(values[m[1]]), path)
    return "/" + re.sub(r"[\^$\\?]|\.json\Z", "", path.replace("/?$", "/").replace(r"\Z", ""))


@pytest.fixture
def secret(anns):
    """Ann's bot by a name that would be found, with a verdict and limits."""
    Bot.objects.filter(pk=anns.pk).update(name=NAME)
    OwnerLimits.objects.create(owner=anns.owner, max_drawdown=0.123456)
    OwnerVerdict.objects.create(
        owner=anns.owner, limit=VERDICT[:16], action="block", time=anns.run.start
    )
    anns.refresh_from_db()
    return anns


def state_of_everything():
    """Return what nobody else may change."""
    columns = ("pk", "name", "notes", "state", "desired", "version", "deleted_at", "config_id")
    return (
        list(Bot.objects.order_by("pk").values_list(*columns)),
        BotCommand.objects.count(),
        BotEvent.objects.count(),
        BotRun.objects.count(),
        ParityReport.objects.count(),
        Job.objects.count(),
        list(OwnerVerdict.objects.values_list("pk", "lifted_at")),
        list(OwnerLimits.objects.values_list("owner", "max_drawdown")),
    )


def every_address_of(bot):
    verdict = OwnerVerdict.objects.get(owner=bot.owner)
    for route, names in addresses():
        is_verdict = "verdict" in route
        values = FILLERS | dict.fromkeys(names, 0) | {"pk": verdict.pk if is_verdict else bot.pk}
        values |= {name: FILLERS[name] for name in names if name in FILLERS}
        yield filled(route, values), "pk" in names


def test_the_list_of_addresses_is_not_empty_and_knows_the_important_ones(secret):
    found = {address for address, _ in every_address_of(secret)}
    assert len(found) > 40
    for name in ("bot", "bot-state", "bot-records", "bot-edit", "bot-notes", "bot-layer"):
        assert reverse(name, args=[secret.pk]) in found
    for order in ("start", "stop", "pause", "resume", "flatten", "clone", "parity", "equity"):
        assert reverse(f"api:bot-{order}", args=[secret.pk]) in found


def test_nobody_else_reaches_a_bot_by_any_address_or_method(secret, bob, browser_of):
    client = browser_of(bob)
    client.raise_request_exception = False
    before = state_of_everything()
    tried = 0
    for address, is_of_one in every_address_of(secret):
        for method in METHODS:
            send = getattr(client, method)
            answers = [send(f"{address}?{QUERY}")]
            if method != "get":
                body = json.dumps({**BODY, "bots": [secret.pk]})
                answers = [send(address, body, content_type="application/json")]
                if method == "post":
                    answers.append(send(address, BODY))
            for answer in answers:
                tried += 1
                where = f"{method} {address} answered {answer.status_code}"
                assert answer.status_code < 500, where
                if is_of_one and OF_ONE.match(address[1:]):
                    assert answer.status_code in (404, 405), where
                assert NAME not in text_of(answer), where
                assert VERDICT[:16] not in text_of(answer), where
                assert "0.123456" not in text_of(answer), where
    assert tried > 200
    after = state_of_everything()
    # Whatever Bob made or set is his own.
    mine = [row for row in after[0] if row[0] == secret.pk]
    assert mine == before[0]
    assert (after[1], after[3], after[4], after[6]) == (before[1], before[3], before[4], before[6])
    assert OwnerLimits.objects.get(owner=secret.owner).max_drawdown == 0.123456


def test_the_owner_does_reach_it_so_that_the_refusals_mean_something(secret, browser_of):
    client = browser_of(secret.owner)
    seen = 0
    for address, is_of_one in every_address_of(secret):
        if is_of_one and OF_ONE.match(address[1:]):
            query = QUERY if "layers" in address else ""
            answer = client.get(f"{address}?{query}")
            assert answer.status_code in (200, 405), f"{address} answered {answer.status_code}"
            seen += answer.status_code == 200
    assert seen > 15


def test_staff_without_the_right_look_but_do_not_touch(secret, browser_of):
    client = browser_of(make_staff("looker", "alert"))
    before = state_of_everything()
    assert client.get(f"/bots/{secret.pk}/").status_code == 200
    for order in ("start", "stop", "pause", "resume", "flatten"):
        answer = client.post(
            f"/api/v1/bots/{secret.pk}/{order}/", "{}", content_type="application/json"
        )
        assert answer.status_code == 403
    assert client.get(f"/bots/{secret.pk}/edit/").status_code == 403
    told = json.dumps({"order": "pause", "bots": [secret.pk]})
    answer = client.post("/api/v1/bots/bulk/", told, content_type="application/json")
    assert answer.json()["done"] == []
    assert client.delete(f"/api/v1/bots/{secret.pk}/").status_code == 403
    everyone = json.dumps({"everyone": True})
    answer = client.post("/api/v1/bots/kill/", everyone, content_type="application/json")
    assert answer.status_code == 403
    assert state_of_everything() == before


def test_strangers_are_sent_to_log_in(secret, client):
    for address, _ in every_address_of(secret):
        answer = client.get(f"{address}?{QUERY}")
        assert answer.status_code in (302, 403, 405), address
        assert NAME not in text_of(answer)


def test_no_topic_of_another_person_can_be_followed(secret, bob, staff):
    for topic in (bots_topic(secret.owner_id), bot_topic(secret.owner_id, secret.pk)):
        with pytest.raises(ForbiddenTopic):
            TOPICS.authorise(bob, topic)
        TOPICS.authorise(secret.owner, topic)
        TOPICS.authorise(staff, topic)
    # A topic that names Bob as the owner of Ann's bot may be followed: nothing is told there.
    TOPICS.authorise(bob, bot_topic(bob.pk, secret.pk))
    assert bot_topic(bob.pk, secret.pk) != bot_topic(secret.owner_id, secret.pk)


def test_the_admin_is_closed_to_whoever_is_not_staff(secret, bob, browser_of):
    client = browser_of(bob)
    before = state_of_everything()
    for model in [model for model in admin.site._registry if model.__module__.startswith("bots")]:
        name = f"admin:bots_{model._meta.model_name}_changelist"
        answer = client.get(reverse(name))
        assert answer.status_code == 302
        for action in ("start", "stop", "pause", "resume", "flatten", "lift", "delete_selected"):
            client.post(reverse(name), {"action": action, "_selected_action": [secret.pk]})
    assert state_of_everything() == before


def test_admin_actions_go_through_the_services(secret, staff, browser_of):
    client = browser_of(staff)
    staff.is_superuser = True
    staff.save()
    address = reverse("admin:bots_bot_changelist")
    client.post(address, {"action": "pause", "_selected_action": [secret.pk]})
    command = BotCommand.objects.get(bot=secret)
    assert (command.kind, command.asked_by) == ("pause", staff)


def test_what_a_bot_did_cannot_be_changed_in_the_admin(secret, staff, browser_of):
    client = browser_of(staff)
    staff.is_superuser = True
    staff.save()
    models = [model for model in admin.site._registry if model.__module__.startswith("bots")]
    assert len(models) >= 11
    for model in models:
        site = admin.site._registry[model]
        row = model.objects.first()
        listed = client.get(reverse(f"admin:bots_{model._meta.model_name}_changelist"))
        assert listed.status_code == 200, model
        if row is None:
            continue
        page = client.get(reverse(f"admin:bots_{model._meta.model_name}_change", args=[row.pk]))
        assert page.status_code == 200, model
        # A bot is made there through the service, and waits.
        assert site.has_add_permission(page.wsgi_request) == (model is Bot)
        assert not site.has_delete_permission(page.wsgi_request, row)
        writable = set(site.get_form(page.wsgi_request, row).base_fields)
        assert writable == set(), model


def test_a_bot_made_in_the_admin_is_checked_as_everywhere(secret, staff, bob, browser_of):
    client = browser_of(staff)
    address = reverse("admin:bots_bot_add")
    given = {"name": "bobs", "symbol": "BTC-USDT", "config": secret.config.name}
    answer = client.post(address, {"owner": bob.pk, "description": json.dumps(given)})
    assert answer.status_code == 403, "staff without the right"
    staff.is_superuser = True
    staff.save()
    assert client.get(address).status_code == 200
    wrong = json.dumps(given | {"symbol": "BTC-USDX"})
    refused = client.post(address, {"owner": bob.pk, "description": wrong})
    assert "did you mean" in refused.content.decode()
    for expected in (302, 200):
        answer = client.post(address, {"owner": bob.pk, "description": json.dumps(given)})
        assert answer.status_code == expected
    bot = Bot.objects.get(owner=bob)
    assert (bot.name, bot.state, bot.config) == ("bobs", "created", secret.config)
    assert BotEvent.objects.get(bot=bot).actor == staff


def test_a_name_taken_while_the_admin_checked_it_is_told_with_the_form(
    secret, staff, bob, browser_of
):
    staff.is_superuser = True
    staff.save()
    config = secret.config

    def be_first(instance, **_rest):
        pre_save.disconnect(be_first, sender=Bot)
        make_bot(bob, secret.instrument, instance.name, config=config)

    pre_save.connect(be_first, sender=Bot)
    given = {"name": "bobs", "symbol": "BTC-USDT", "config": config.name}
    answer = browser_of(staff).post(
        reverse("admin:bots_bot_add"),
        {"owner": bob.pk, "description": json.dumps(given)},
    )
    assert answer.status_code == 200
    form = answer.context["adminform"].form
    assert form.errors == {"description": ["name: there is a bot called 'bobs' already"]}
    assert json.loads(form["description"].value()) == given
    assert form["owner"].value() == str(bob.pk)


@pytest.mark.parametrize("rights", [[], ["view_bot"]])
def test_no_action_of_the_admin_is_there_for_staff_who_may_only_look(secret, browser_of, rights):
    staff = make_staff("looker", "alert")
    staff.user_permissions.add(*Permission.objects.filter(codename__in=rights))
    client = browser_of(staff)
    before = state_of_everything()
    for model in (Bot, OwnerVerdict):
        address = reverse(f"admin:bots_{model._meta.model_name}_changelist")
        row = model.objects.get(owner=secret.owner)
        for action in admin.site._registry[model].actions:
            client.post(address, {"action": action, "_selected_action": [row.pk]})
    assert len(admin.site._registry[Bot].actions) == 5
    assert state_of_everything() == before


def test_anothers_configuration_cannot_be_given_to_a_bot(secret, bob, browser_of):
    config = make_config(secret.owner, name="anns secret")
    given = {"name": "mine", "symbol": "BTC-USDT", "config": "anns secret"}
    client = browser_of(bob)
    answer = client.post("/api/v1/bots/", json.dumps(given), content_type="application/json")
    assert answer.status_code == 400
    page = client.get("/bots/new/").content.decode()
    assert "anns secret" not in page
    assert "anns secret" not in client.get(f"/bots/new/facts?config={config.pk}").content.decode()


def text_of(answer):
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode()
