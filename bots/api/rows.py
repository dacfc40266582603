"""Bots for REST, and refusals in its shape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, PermissionDenied, ValidationError
from rest_framework.request import Request

from bots.models import Bot
from bots.models.access import may_order
from bots.models.figures import BotRow, bot_rows
from bots.services import InvalidBot


class BotConflict(APIException):
    """The detail says, by field, why it cannot be done as things stand."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


def row_of(bot: Bot) -> BotRow:
    """Return a bot as it is now, with its figures."""
    return bot_rows(Bot.objects.filter(pk=bot.pk))[0]


def allow(user: Any, bot: Bot) -> None:
    """Raise PermissionDenied unless a person may act on a bot."""
    if not may_order(user, bot):
        raise PermissionDenied("it is another person's bot")


def body_of(request: Request) -> dict[str, Any]:
    """Return the object a request carries, its fields as they came. Raises ValidationError."""
    if not isinstance(request.data, dict):
        raise ValidationError({"request": ["expected an object"]})
    return dict(request.data)


@contextmanager
def by_field() -> Iterator[None]:
    """Turn what is wrong with a draft into errors by field."""
    try:
        yield
    except InvalidBot as error:
        raise ValidationError({name: [reason] for name, reason in error.errors.items()}) from error


@contextmanager
def conflicts() -> Iterator[None]:
    """Turn an order that cannot be carried out into a conflict."""
    try:
        yield
    except InvalidBot as error:
        raise BotConflict({name: [reason] for name, reason in error.errors.items()}) from error
