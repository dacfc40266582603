"""The admin's pages of raw messages, retention, archives and credentials."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.urls import reverse

from marketdata.domain.raw import RawChannel, RawMessage
from marketdata.models import Archive, ExchangeCredential, RawRow, RetentionPolicy
from marketdata.storage.raw import RawWriter
from tcpdashboard.common.crypto import new_key
from tests.marketdata.storage.builders import DAY, make_instrument

pytestmark = pytest.mark.django_db

SECRETS = {"api_key": "key-7f3a91", "secret": "s3cr3t-b81c", "passphrase": "open sesame 42"}


@pytest.fixture
def page(client):
    client.force_login(get_user_model().objects.create_superuser("root", password="x"))
    return client


@pytest.fixture
def messages():
    instrument = make_instrument()
    RawWriter("okx").write(
        [
            RawMessage(RawChannel.TICKERS, "BTC-USDT", DAY + n, DAY + n, b'{"last":"%d"}' % n)
            for n in range(3)
        ]
        + [RawMessage(RawChannel.STATUS, None, DAY, DAY, b'{"state":"ongoing"}')]
    )
    return instrument


def url(model, page="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_messages_are_listed_by_channel_instrument_and_day(page, messages):
    assert "4 raw messages" in page.get(url(RawRow)).text
    one = page.get(url(RawRow), {"channel__exact": "status"}).text
    assert "1 raw message" in one
    assert "ongoing" in one
    chosen = {"channel__exact": "tickers", "instrument__id__exact": messages.pk}
    assert "3 raw messages" in page.get(url(RawRow), chosen | {"q": "2024-01-01"}).text
    assert "0 raw messages" in page.get(url(RawRow), chosen | {"q": "2024-01-02"}).text


def test_a_message_has_a_page_and_nobody_changes_it(page, messages):
    row = RawRow.objects.filter(channel="tickers").first()
    shown = page.get(url(RawRow, "change", row.pk))
    assert shown.status_code == 200
    assert 'name="_save"' not in shown.text
    assert page.get(url(RawRow, "add")).status_code == 403


@pytest.mark.parametrize(
    "key", ["tickers", "tickers-x-1", "nothing-1-1", "tickers-99999999999999-1"]
)
def test_a_key_that_names_no_message_leads_back(page, messages, key):
    assert page.get(url(RawRow, "change", key)).status_code == 302


def test_policies_show_what_is_in_force_and_what_would_go(page, messages):
    RetentionPolicy.objects.get_or_create(what="tickers")
    text = page.get(url(RetentionPolicy)).text
    assert "14 days" in text
    assert "3 rows" in text
    changed = RetentionPolicy.objects.get(what="tickers")
    page.post(url(RetentionPolicy, "change", changed.pk), {"keep_days": "0", "archive": "true"})
    changed.refresh_from_db()
    assert (changed.keep_days, changed.archive) == (0, True)
    text = page.get(url(RetentionPolicy)).text
    assert "for ever, then archived" in text


def test_archives_are_listed(page):
    Archive.objects.create(
        what="tickers", day="2024-01-01", name="raw/a.csv.gz", rows=3, bytes=99, sha256="0" * 64
    )
    assert "raw/a.csv.gz" in page.get(url(Archive)).text


def entered(**changed):
    return {"label": "mine", "exchange": "okx", "is_enabled": "on", **SECRETS, **changed}


def test_a_credential_is_entered_once_and_never_shown_again(page, settings):
    settings.ENCRYPTION_KEYS = [new_key()]
    answer = page.post(url(ExchangeCredential, "add"), entered(), follow=True)
    assert answer.status_code == 200
    row = ExchangeCredential.objects.get()
    assert row.secret.reveal() == SECRETS["secret"]
    pages = [
        answer.text,
        page.get(url(ExchangeCredential)).text,
        page.get(url(ExchangeCredential, "change", row.pk)).text,
        page.get(url(ExchangeCredential, "history", row.pk)).text,
        repr(list(LogEntry.objects.values())),
    ]
    for secret in (*SECRETS.values(), row.secret.token):
        assert all(secret not in text for text in pages)
    assert "set, not shown" in pages[2]


def test_fields_left_empty_keep_what_is_stored(page, settings):
    settings.ENCRYPTION_KEYS = [new_key()]
    page.post(url(ExchangeCredential, "add"), entered())
    row = ExchangeCredential.objects.get()
    change = entered(label="renamed", api_key="", secret="", passphrase="another one 9")
    page.post(url(ExchangeCredential, "change", row.pk), change)
    row.refresh_from_db()
    assert row.label == "renamed"
    assert row.secret.reveal() == SECRETS["secret"]
    assert row.passphrase.reveal() == "another one 9"


def test_a_new_credential_needs_all_its_secrets_and_a_key(page, settings):
    settings.ENCRYPTION_KEYS = [new_key()]
    assert "required" in page.post(url(ExchangeCredential, "add"), entered(secret="")).text
    settings.ENCRYPTION_KEYS = []
    answer = page.post(url(ExchangeCredential, "add"), entered())
    assert "TCPD_ENCRYPTION_KEYS is not set" in answer.text
    assert SECRETS["secret"] not in answer.text
    assert not ExchangeCredential.objects.exists()


def test_an_exchange_has_one_enabled_credential(page, settings):
    settings.ENCRYPTION_KEYS = [new_key()]
    page.post(url(ExchangeCredential, "add"), entered())
    answer = page.post(url(ExchangeCredential, "add"), entered(label="second"))
    assert "Another credential of this exchange is enabled" in answer.text
    assert ExchangeCredential.objects.count() == 1
