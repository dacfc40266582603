"""What the lists on the page of a bot say of orders and of changes."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from bots.models import BotCommand
from bots.services import edit_bot
from tests.bots.web.rows import make_bot

pytestmark = pytest.mark.django_db


def test_an_order_that_came_too_late_is_never_said_to_wait(anns, browser_of):
    client = browser_of(anns.owner)
    command = BotCommand.objects.create(bot=anns, kind="flatten", asked_by=anns.owner)
    page = client.get(f"/bots/{anns.pk}/?records=commands").content.decode()
    assert "takes effect with the next step" in page
    assert "Waiting" in page
    BotCommand.objects.filter(pk=command.pk).update(dropped_at=timezone.now())
    page = client.get(f"/bots/{anns.pk}/?records=commands").content.decode()
    assert "takes effect with the next step" not in page
    assert "Waiting" not in page
    assert "Never" in page
    (told,) = client.get(f"/api/v1/bots/{anns.pk}/commands/").json()["results"]
    assert told["dropped_at"] is not None


def test_an_edit_tells_what_was_and_what_is(ann, btc, browser_of):
    bot = make_bot(ann, btc)
    edit_bot(bot, {"trading": {"stop_loss": "0.02"}}, ann)
    edit_bot(bot, {"trading": {"stop_loss": "0.03"}}, ann)
    page = browser_of(ann).get(f"/bots/{bot.pk}/?records=events").content.decode()
    cells = re.findall(r'<td class="wide ">([^<]*)</td>', page)
    assert "stop loss 0.02 → 0.03" in cells
