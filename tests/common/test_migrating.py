"""Migrations on a machine that takes its time."""

from __future__ import annotations

import time

import pytest
from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import OperationalError, connection, transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _impatient():
    """A session that may rest in a transaction for a tenth of a second."""
    connection.close()
    usual = connection.settings_dict["OPTIONS"]["options"]
    options = f"{usual} -c idle_in_transaction_session_timeout=100"
    connection.settings_dict["OPTIONS"]["options"] = options
    yield
    connection.close()
    connection.settings_dict["OPTIONS"]["options"] = usual


def rest():
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select 1")
        time.sleep(0.4)
        cursor.execute("select 2")


@pytest.mark.usefixtures("_impatient")
def test_a_migration_may_compute_for_longer_than_others_may_rest():
    emit_pre_migrate_signal(verbosity=0, interactive=False, db="default")
    rest()
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default")
    with pytest.raises(OperationalError):
        rest()
