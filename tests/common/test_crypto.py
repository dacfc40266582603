"""Secrets are sealed in the database, opened by the right key alone, and shown to nobody."""

from __future__ import annotations

import pickle

import pytest
import structlog
from django.core.exceptions import FieldError
from django.core.management import CommandError, call_command
from django.db import connection

from marketdata.models import ExchangeCredential
from tcpdashboard.common.crypto import KeyTrouble, Sealed, new_key, seal
from tcpdashboard.common.redaction import Redactor

OLD, NEW = new_key(), new_key()
SECRETS = {"api_key": "key-7f3a91", "secret": "s3cr3t-b81c", "passphrase": "open sesame 42"}


@pytest.fixture(autouse=True)
def _key(settings):
    settings.ENCRYPTION_KEYS = [OLD]


def saved(**values):
    return ExchangeCredential.objects.create(label="mine", exchange="okx", **SECRETS, **values)


def table():
    with connection.cursor() as cursor:
        cursor.execute("select * from marketdata_exchangecredential")
        return repr(cursor.fetchall())


@pytest.mark.django_db
def test_the_table_holds_nothing_that_can_be_read():
    saved()
    for secret in SECRETS.values():
        assert secret not in table()
    row = ExchangeCredential.objects.get()
    assert {name: getattr(row, name).reveal() for name in SECRETS} == SECRETS


@pytest.mark.django_db
def test_saving_again_keeps_what_was_not_entered_anew():
    row = ExchangeCredential.objects.get(pk=saved().pk)
    before = row.secret.token
    row.label, row.passphrase = "other", "a new passphrase"
    row.save()
    row.refresh_from_db()
    assert row.secret.token == before
    assert row.passphrase.reveal() == "a new passphrase"


@pytest.mark.django_db
def test_nothing_can_be_looked_for_in_a_sealed_column():
    saved()
    with pytest.raises(FieldError, match="encrypted"):
        ExchangeCredential.objects.filter(secret="s3cr3t-b81c").exists()


@pytest.mark.django_db
def test_without_a_key_nothing_is_saved_and_the_message_says_what_to_do(settings):
    settings.ENCRYPTION_KEYS = []
    with pytest.raises(KeyTrouble, match="rotate_keys --new"):
        saved()
    settings.ENCRYPTION_KEYS = ["short"]
    with pytest.raises(KeyTrouble, match="32 bytes"):
        saved()


def test_another_key_opens_nothing_and_never_gives_the_sealed_text_away(settings):
    sealed = seal("s3cr3t-b81c")
    settings.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(KeyTrouble, match="add the old key"):
        sealed.reveal()


def test_a_sealed_secret_shows_itself_to_nobody():
    sealed = seal("s3cr3t-b81c")
    for shown in (str(sealed), repr(sealed), f"{sealed}", repr([sealed]), repr({"a": sealed})):
        assert "s3cr3t" not in shown
        assert sealed.token not in shown
    assert b"s3cr3t" not in pickle.dumps(sealed)
    assert sealed == Sealed(sealed.token)


@pytest.mark.django_db
def test_rotation_seals_everything_with_the_newest_key(settings):
    saved()
    before = table()
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    call_command("rotate_keys")
    assert table() != before
    settings.ENCRYPTION_KEYS = [NEW]
    assert ExchangeCredential.objects.get().secret.reveal() == SECRETS["secret"]


@pytest.mark.django_db
def test_rotation_without_the_old_key_changes_nothing(settings):
    saved()
    before = table()
    settings.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CommandError, match="TCPD_ENCRYPTION_KEYS"):
        call_command("rotate_keys")
    assert table() == before


def test_the_command_prints_a_fresh_key_that_works(settings, capsys):
    call_command("rotate_keys", "--new")
    settings.ENCRYPTION_KEYS = [capsys.readouterr().out.strip()]
    assert seal("something").reveal() == "something"


def test_a_secret_that_was_opened_is_masked_wherever_a_log_line_holds_it():
    secret = seal("Zq8-unusual-value").reveal()
    event = {
        "event": f'Illegal request: {{\\"sign\\":\\"{secret}\\"}}',
        "frame": [secret, {"deep": secret}],
        "secret": secret,
    }
    line = repr(Redactor()(structlog.get_logger(), "info", event))
    assert secret not in line
    assert "***" in line
