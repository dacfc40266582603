"""The settings of a run are read once, and never taken for those of another run."""

from __future__ import annotations

import pytest

from bots.models import BotRun
from bots.storage import runs
from bots.storage.runs import run_settings
from tests.bots.people import make_bot, make_person
from tests.bots.rows import MINUTE, begin

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(settings):
    settings.EXCHANGE = "okx-sim"
    return begin(make_bot(make_person())).run


def test_settings_are_read_once(run, django_assert_num_queries):
    first = run_settings([run.pk])[run.pk]
    with django_assert_num_queries(1):
        assert run_settings([run.pk])[run.pk] is first


def test_another_run_of_the_same_id_as_after_a_restore_has_its_own_settings(run):
    run_settings([run.pk])
    BotRun.objects.filter(pk=run.pk).update(number=7, started_at=MINUTE)
    assert run_settings([run.pk])[run.pk].number == 7


class Emptied(dict):
    """What is known, emptied by another thread whenever something was added to it."""

    def update(self, *given):
        super().update(*given)
        self.clear()


def test_settings_are_found_although_another_thread_empties_what_is_known(run, monkeypatch):
    monkeypatch.setattr(runs, "_known", Emptied())
    assert run_settings([run.pk])[run.pk].number == run.number
