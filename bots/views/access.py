"""The bot that a page is about; others' do not exist."""

from __future__ import annotations

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from bots.models import Bot
from bots.models.access import shown_to
from bots.models.figures import BotRow, bot_rows


def bot_or_404(request: HttpRequest, pk: int) -> Bot:
    """Return a bot that the person may see; others' do not exist."""
    related = ("instrument", "config", "owner", "run")
    return get_object_or_404(shown_to(request.user).select_related(*related), pk=pk)


def row_or_404(request: HttpRequest, pk: int) -> BotRow:
    """Return the same with its figures."""
    return bot_rows(Bot.objects.filter(pk=bot_or_404(request, pk).pk))[0]
