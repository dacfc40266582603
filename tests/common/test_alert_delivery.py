"""Alerts reach people outside the pages: once, in spite of failures, at hours that they chose."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from tcpdashboard.common.alerts import end_alert, raise_alert
from tcpdashboard.common.alerts.channels import checked
from tcpdashboard.common.alerts.delivering import (
    FAILED_ALERT,
    RETRY_AFTER,
    deliver_alerts,
    plan_deliveries,
    prune_deliveries,
)
from tcpdashboard.common.alerts.delivering import (
    test_channel as try_channel,
)
from tcpdashboard.common.alerts.destinations import ForbiddenDestination, check_url, resolve
from tcpdashboard.common.alerts.quiet import quiet_until
from tcpdashboard.common.crypto import new_key
from tcpdashboard.common.models import Alert, AlertChannel, AlertDelivery
from tests.common.receivers import MailReceiver, WebReceiver

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _sealed(settings):
    settings.ENCRYPTION_KEYS = [new_key()]
    settings.ALERT_PRIVATE_ADDRESSES = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture
def web():
    with WebReceiver().running() as receiver:
        yield receiver


@pytest.fixture
def mail(settings):
    with MailReceiver().running() as receiver:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", receiver.port
        yield receiver


@pytest.fixture
def ada():
    return get_user_model().objects.create_user("ada")


def make_webhook(web, owner=None, *, path="/hook/t0psecret", **values):
    given = {"kind": "webhook", "secret": f"http://127.0.0.1:{web.port}{path}", **values}
    row = AlertChannel.objects.create(owner=owner, name=path[:5], **checked(given))
    row.refresh_from_db()
    return row


def again():
    """Let every delivery that waits be due now."""
    waiting = AlertDelivery.objects.filter(state="waiting")
    waiting.update(next_at=Now() - timedelta(hours=1))
    return deliver_alerts()


def states():
    return list(AlertDelivery.objects.order_by("pk").values_list("event", "state"))


def test_an_alert_is_told_once_when_it_opens_and_once_when_it_is_over(web):
    make_webhook(web)
    raise_alert("feed_stale", "okx:BTC-USDT", "silent", details={"age_s": 130})
    assert deliver_alerts() == 1
    raise_alert("feed_stale", "okx:BTC-USDT", "still silent")
    assert deliver_alerts() == 0
    end_alert("feed_stale", "okx:BTC-USDT")
    assert deliver_alerts() == 1
    assert deliver_alerts() == 0
    (path, headers, body), (_, _, ended) = web.got
    told = json.loads(body)
    assert path == "/hook/t0psecret"
    assert headers["Host"] == f"127.0.0.1:{web.port}"
    assert (told["event"], told["kind"], told["message"]) == ("opened", "feed_stale", "silent")
    assert told["details"] == {"age_s": 130}
    assert told["title"] == "[warning] feed stale: okx:BTC-USDT"
    assert json.loads(ended)["event"] == "ended"
    assert json.loads(ended)["resolved_at"]
    assert states() == [("opened", "sent"), ("ended", "sent")]
    assert AlertDelivery.objects.first().response == "200 thanks"


def test_a_trouble_that_comes_back_is_told_again(web):
    make_webhook(web, tells_end=False)
    for _ in range(2):
        raise_alert("feed_stale", "okx:BTC-USDT", "silent")
        deliver_alerts()
        end_alert("feed_stale", "okx:BTC-USDT")
        deliver_alerts()
    assert [json.loads(body)["event"] for _, _, body in web.got] == ["opened", "opened"]


def test_what_was_wrong_before_the_channel_was_made_is_not_told(web):
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    Alert.objects.update(first_at=timezone.now() - timedelta(hours=1))
    make_webhook(web)
    assert deliver_alerts() == 0


def test_only_alerts_of_the_least_severity_or_worse_are_told(web):
    make_webhook(web, min_severity="critical")
    raise_alert("feed_stale", "a", "minor")
    raise_alert("collector_failed", "b", "major", severity="critical")
    assert deliver_alerts() == 1
    assert json.loads(web.got[0][2])["subject"] == "b"


def test_a_persons_alerts_reach_that_person_and_everybodys_channels_only(web, ada):
    bob = get_user_model().objects.create_user("bob")
    for path, owner in (("/ada", ada), ("/bob", bob), ("/all", None)):
        make_webhook(web, owner, path=path)
    raise_alert("worker_dead", "bot:1", "stands still", owner_id=ada.pk)
    assert deliver_alerts() == 2
    assert sorted(path for path, _, _ in web.got) == ["/ada", "/all"]


def test_a_webhook_is_signed_with_its_key(web):
    make_webhook(web, signing_key="a key of ours")
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    deliver_alerts()
    _, headers, body = web.got[0]
    wanted = hmac.new(b"a key of ours", body, hashlib.sha256).hexdigest()
    assert headers["X-Signature-SHA256"] == wanted


def test_telegram_gets_its_chat_and_text_under_the_bots_token(web):
    given = {
        "kind": "telegram",
        "secret": "123:token-of-the-bot",
        "address": "-100200",
        "server": f"http://127.0.0.1:{web.port}",
    }
    AlertChannel.objects.create(name="phone", **checked(given))
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    assert deliver_alerts() == 1
    path, _, body = web.got[0]
    assert path == "/bot123:token-of-the-bot/sendMessage"
    told = json.loads(body)
    assert told["chat_id"] == "-100200"
    assert told["text"].startswith("[warning] feed stale: okx:BTC-USDT\nsilent\nSince 20")


def test_an_email_goes_through_the_mail_server(mail):
    given = {"kind": "email", "address": "ada@example.org"}
    AlertChannel.objects.create(name="mail", **checked(given))
    raise_alert("feed_stale", "okx:BTC-USDT\nBcc: eve@example.org", "silent")
    assert deliver_alerts() == 1
    (told,) = mail.got
    assert "To: ada@example.org" in told
    assert "Subject: [warning] feed stale: okx:BTC-USDT Bcc: eve@example.org" in told
    assert "\nsilent" in told


def test_an_address_the_mail_server_knows_not_is_not_tried_again(mail):
    mail.refusal = "550 nobody here"
    AlertChannel.objects.create(
        name="mail", **checked({"kind": "email", "address": "a@example.org"})
    )
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    deliver_alerts()
    row = AlertDelivery.objects.get(event="opened")
    assert (row.state, row.attempts) == ("failed", 1)
    assert "550" in row.response


def test_a_server_in_trouble_is_tried_again_with_growing_pauses_under_one_key(web):
    make_webhook(web)
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    web.answer = (503, "later")
    assert deliver_alerts() == 0
    row = AlertDelivery.objects.get()
    assert (row.state, row.attempts, row.response) == ("waiting", 1, "503 later")
    pause = row.next_at - timezone.now()
    assert RETRY_AFTER[0] - timedelta(seconds=5) < pause <= RETRY_AFTER[0]
    assert deliver_alerts() == 0, "it is not due yet"
    web.answer = (200, "")
    assert again() == 1
    assert len({headers["Idempotency-Key"] for _, headers, _ in web.got}) == 1


def test_attempts_are_bounded_and_an_alert_says_that_nobody_was_reached(web):
    make_webhook(web)
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    web.answer = (500, "broken")
    deliver_alerts()
    for _ in range(len(RETRY_AFTER) + 3):
        again()
    assert len(web.got) == len(RETRY_AFTER) + 1
    assert states() == [("opened", "failed")], "its own alert is not sent to it"
    failed = Alert.objects.get(kind=FAILED_ALERT)
    assert "500 broken" in failed.message
    web.answer = (200, "")
    raise_alert("feed_stale", "okx:ETH-USDT", "silent")
    assert deliver_alerts() == 1
    failed.refresh_from_db()
    assert failed.resolved_at is not None


def test_an_address_that_is_gone_is_not_tried_again(web):
    make_webhook(web)
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    web.answer = (410, "gone")
    deliver_alerts()
    assert states() == [("opened", "failed")]


def test_too_many_requests_is_no_reason_to_give_up(web):
    make_webhook(web)
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    web.answer = (429, "slow down")
    deliver_alerts()
    assert states() == [("opened", "waiting")]


def test_a_server_that_is_away_is_told_without_its_address(web):
    channel = make_webhook(web)
    channel.secret = "http://127.0.0.1:9/hook/t0psecret"
    channel.save()
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    deliver_alerts()
    row = AlertDelivery.objects.get()
    assert (row.state, row.response) == ("waiting", "the server cannot be reached")


def test_a_redirect_is_not_followed(web):
    make_webhook(web)
    web.answer, web.location = (302, ""), f"http://127.0.0.1:{web.port}/elsewhere"
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    deliver_alerts()
    assert [path for path, _, _ in web.got] == ["/hook/t0psecret"]
    assert states() == [("opened", "failed")]


def test_what_is_over_before_it_could_be_told_is_not_told(web):
    make_webhook(web)
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    web.answer = (503, "later")
    deliver_alerts()
    end_alert("feed_stale", "okx:BTC-USDT")
    assert again() == 0
    assert states() == [("opened", "skipped")]
    assert again() == 0
    assert len(web.got) == 1


def test_a_channel_that_was_switched_off_gets_nothing_more(web):
    channel = make_webhook(web)
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    plan_deliveries()
    AlertChannel.objects.filter(pk=channel.pk).update(is_enabled=False)
    assert deliver_alerts() == 0
    assert states() == [("opened", "skipped")]


def test_a_delivery_whose_worker_died_is_sent_by_another_one_after_its_claim(web):
    make_webhook(web)
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    plan_deliveries()
    later = timezone.now() + timedelta(seconds=60)
    AlertDelivery.objects.update(attempts=1, claimed_until=later, next_at=later)
    assert deliver_alerts() == 0
    AlertDelivery.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert again() == 1


def test_in_quiet_hours_it_waits_and_critical_does_not(web):
    with time_machine.travel(datetime(2037, 7, 1, 23, 30, tzinfo=UTC), tick=False):
        make_webhook(web, quiet_from=time(22), quiet_to=time(7, 15), time_zone="Europe/Berlin")
        raise_alert("feed_stale", "okx:BTC-USDT", "silent")
        raise_alert("kill_switch", "everybody", "pressed", severity="critical")
        assert deliver_alerts() == 1
        assert json.loads(web.got[0][2])["kind"] == "kill_switch"
        waits = AlertDelivery.objects.get(state="waiting")
        # 07:15 in Berlin in summer.
        assert waits.next_at == datetime(2037, 7, 2, 5, 15, tzinfo=UTC)
        assert waits.attempts == 0
    with time_machine.travel(datetime(2037, 7, 2, 5, 16, tzinfo=UTC), tick=False):
        assert again() == 1


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("21:59", None),
        ("22:00", "2026-01-11 07:00"),
        ("23:59", "2026-01-11 07:00"),
        ("00:00", "2026-01-10 07:00"),
        ("06:59", "2026-01-10 07:00"),
        ("07:00", None),
    ],
)
def test_quiet_hours_go_over_midnight(now, until):
    at = datetime.fromisoformat(f"2026-01-10T{now}:00+00:00")
    found = quiet_until(at, time(22), time(7), ZoneInfo("UTC"))
    assert found == (until and datetime.fromisoformat(f"{until}+00:00"))


def test_quiet_hours_within_a_day_and_all_day():
    noon = datetime(2026, 1, 10, 12, tzinfo=UTC)
    zone = ZoneInfo("UTC")
    assert quiet_until(noon, time(11), time(13), zone) == noon + timedelta(hours=1)
    assert quiet_until(noon, time(13), time(14), zone) is None
    assert quiet_until(noon, time(8), time(8), zone) == noon + timedelta(hours=20)


def test_quiet_hours_end_after_now_also_where_the_clock_is_put_back():
    zone = ZoneInfo("Europe/Berlin")
    # 02:15 for the second time in the night of 25 October 2026.
    now = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    assert quiet_until(now, time(22), time(2, 30), zone) == now + timedelta(minutes=15)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8000/",
        "http://[::1]/",
        "http://10.0.0.7/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fd00::1]/",
        "http://0.0.0.0/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://2130706433/",
    ],
)
def test_addresses_inside_are_refused_unless_a_setting_allows_them(url, settings):
    settings.ALERT_PRIVATE_ADDRESSES = False
    with pytest.raises(ForbiddenDestination, match="inside"):
        resolve(url)
    settings.ALERT_PRIVATE_ADDRESSES = True
    assert resolve(url).address


def test_a_webhook_to_the_inside_is_refused_when_it_is_sent(web, settings):
    make_webhook(web)
    settings.ALERT_PRIVATE_ADDRESSES = False
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    deliver_alerts()
    row = AlertDelivery.objects.get(event="opened")
    assert row.state == "failed"
    assert "TCPD_ALERT_PRIVATE_ADDRESSES" in row.response
    assert web.got == []


@pytest.mark.parametrize(
    "url",
    ["ftp://example.org/", "//example.org", "http://", "http://u:p@example.org/", "http://a b/"],
)
def test_what_is_no_plain_web_address_is_refused(url):
    with pytest.raises(ForbiddenDestination):
        check_url(url)


def test_a_public_address_is_pinned_and_keeps_its_name():
    goal = resolve("https://1.1.1.1:8443/x?y=1")
    assert (goal.pinned_url, goal.host_header) == ("https://1.1.1.1:8443/x?y=1", "1.1.1.1:8443")


def test_secrets_are_sealed_in_the_table(web):
    make_webhook(web, signing_key="a key of ours")
    with connection.cursor() as cursor:
        cursor.execute("select c::text from common_alertchannel c")
        (row,) = cursor.fetchone()
    assert "t0psecret" not in row
    assert "a key of ours" not in row


def test_a_test_is_sent_at_once_and_not_tried_again(web):
    channel = make_webhook(web, quiet_from=time(0), quiet_to=time(0))
    assert try_channel(channel).state == "sent"
    web.answer = (500, "broken")
    failed = try_channel(channel)
    assert (failed.state, failed.response) == ("failed", "500 broken")
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "webhook"}, "secret"),
        ({"kind": "webhook", "secret": "example.org"}, "secret"),
        ({"kind": "email", "address": "nobody"}, "address"),
        ({"kind": "email", "address": "a@example.org", "secret": "x"}, "secret"),
        ({"kind": "telegram", "secret": "1:a"}, "address"),
        ({"kind": "telegram", "address": "1"}, "secret"),
        ({"kind": "email", "address": "a@example.org", "quiet_from": time(1)}, "quiet_to"),
        ({"kind": "email", "address": "a@example.org", "time_zone": "Mars"}, "time_zone"),
        ({"kind": "email", "address": "a@example.org", "signing_key": "k"}, "signing_key"),
    ],
)
def test_what_is_wrong_with_a_channel_is_said_by_field(given, field):
    with pytest.raises(ValidationError) as refused:
        checked(given)
    assert list(refused.value.message_dict) == [field]


def test_without_a_key_nothing_secret_is_kept(settings):
    settings.ENCRYPTION_KEYS = []
    with pytest.raises(ValidationError, match="TCPD_ENCRYPTION_KEYS"):
        checked({"kind": "webhook", "secret": "https://example.org/hook"})


def test_old_deliveries_go_and_those_of_open_alerts_stay(web):
    make_webhook(web)
    for subject in ("a", "b"):
        raise_alert("feed_stale", subject, "silent")
    deliver_alerts()
    end_alert("feed_stale", "a")
    long_ago = timezone.now() - timedelta(days=100)
    AlertDelivery.objects.update(created_at=long_ago)
    Alert.objects.filter(subject="a").update(resolved_at=long_ago)
    assert prune_deliveries() == 1
    assert AlertDelivery.objects.get().alert.subject == "b"
