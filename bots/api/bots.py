"""Bots: one's own, made, changed and ordered; for staff everybody's to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from bots import services
from bots.api.records import Records
from bots.api.rows import allow, body_of, by_field, conflicts, row_of
from bots.models import Bot
from bots.models.access import may_order, shown_to
from bots.models.bots import BotQuerySet
from bots.models.figures import bot_rows
from bots.serializers.bots import (
    BotSerializer,
    BotsQuery,
    BulkResultSerializer,
    BulkSerializer,
    ChangedBotSerializer,
    KilledSerializer,
    KillSerializer,
    NameSerializer,
    NewBotSerializer,
    StopSerializer,
    WhySerializer,
)
from bots.services import InvalidBot
from marketdata.api.queries import read_query
from tcpdashboard.common.jobs.api import NewestFirst
from tcpdashboard.common.rights import may_change

Order = Callable[..., Bot]
ORDERS: Final[dict[str, Order]] = {
    "start": services.start_bot,
    "stop": services.stop_bot,
    "pause": services.pause_bot,
    "resume": services.resume_bot,
    "flatten": services.flatten_bot,
}
_FILTERS: Final = {
    "state": "state",
    "exchange": "instrument__exchange",
    "symbol": "instrument__symbol",
    "strategy": "config__strategy",
    "timeframe": "timeframe",
}
_ordered = extend_schema(request=WhySerializer, responses=BotSerializer)


class BotViewSet(Records, viewsets.GenericViewSet[Bot]):
    """Paper bots. An order is carried out by the bot's next step, within about a second."""

    serializer_class = BotSerializer
    pagination_class = NewestFirst
    queryset = Bot.objects.all()
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> BotQuerySet:
        return shown_to(self.request.user)

    @extend_schema(parameters=[BotsQuery], responses=BotSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List one's bots with their figures, newest first; staff see all."""
        query = read_query(request, BotsQuery)
        wanted = {field: query[name] for name, field in _FILTERS.items() if query.get(name)}
        page = self.paginate_queryset(self.get_queryset().filter(**wanted))
        numbers = [bot.pk for bot in page or ()]
        rows = bot_rows(Bot.objects.filter(pk__in=numbers).order_by("-pk"))
        return self.get_paginated_response(BotSerializer(rows, many=True).data)

    @extend_schema(request=NewBotSerializer, responses={201: BotSerializer})
    def create(self, request: Request) -> Response:
        """Make a bot; it waits until it is started."""
        owner = cast("User", request.user)
        with by_field():
            bot = services.create_bot(owner, services.checked(owner, body_of(request)))
        return self._told(bot, status.HTTP_201_CREATED)

    @extend_schema(responses=BotSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """Return one bot with its figures."""
        return self._told(self.get_object())

    @extend_schema(request=ChangedBotSerializer, responses=BotSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change what is given; what decides or trades makes the next version and run."""
        bot = self._own()
        with by_field():
            changed = services.edit_bot(bot, body_of(request), cast("User", request.user))
        return self._told(changed)

    def destroy(self, request: Request, pk: str) -> Response:
        """Take a bot that is over off every list; what it did is kept."""
        with conflicts():
            services.delete_bot(self._own(), cast("User", request.user))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=NameSerializer, responses={201: BotSerializer})
    @action(detail=True, methods=["post"])
    def clone(self, request: Request, pk: str) -> Response:
        """Make a bot of one's own with the settings of this one."""
        bot = self._own()
        given = _checked(NameSerializer, request)
        with by_field():
            made = services.clone_bot(bot, cast("User", request.user), given)
        return self._told(made, status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={201: BotSerializer})
    @action(detail=True, methods=["post"])
    def reset(self, request: Request, pk: str) -> Response:
        """Delete a bot that is over and make one in its place, with the initial balance."""
        with conflicts():
            made = services.reset_bot(self._own(), cast("User", request.user))
        return self._told(made, status.HTTP_201_CREATED)

    @_ordered
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Let it run, with the account as it is."""
        return self._order("start")

    @extend_schema(request=StopSerializer, responses=BotSerializer)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """End its run, flat unless the position is to be kept."""
        bot = self._own()
        given = _checked(StopSerializer, request)
        with conflicts():
            services.stop_bot(
                bot,
                cast("User", request.user),
                flatten=not given["keep_position"],
                why=given["why"],
            )
        return self._told(self.get_object())

    @_ordered
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Let it enter nothing new; its stops go on."""
        return self._order("pause")

    @_ordered
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let a paused one enter again."""
        return self._order("resume")

    @_ordered
    @action(detail=True, methods=["post"])
    def flatten(self, request: Request, pk: str) -> Response:
        """Close its position at the last trade, and go on."""
        return self._order("flatten")

    @extend_schema(operation_id="bots_bulk", request=BulkSerializer, responses=BulkResultSerializer)
    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response:
        """Give one order to several bots; what refuses does not stop the others."""
        given = _checked(BulkSerializer, request)
        done: list[int] = []
        refused = dict.fromkeys(map(str, given["bots"]), "there is no such bot")
        for bot in self.get_queryset().filter(pk__in=given["bots"]).order_by("pk"):
            reason = self._reason_against(bot, given["order"], given["why"])
            if reason:
                refused[str(bot.pk)] = reason
            else:
                done.append(bot.pk)
                refused.pop(str(bot.pk))
        return Response({"done": done, "refused": refused})

    @extend_schema(operation_id="bots_kill", request=KillSerializer, responses=KilledSerializer)
    @action(detail=False, methods=["post"])
    def kill(self, request: Request) -> Response:
        """Flatten and halt all of one's bots, at the last trade; staff: everyone's."""
        given = _checked(KillSerializer, request)
        user = cast("User", request.user)
        if given["everyone"] and not may_change(user, Bot):
            raise PermissionDenied("the bots of others are halted by who may change bots")
        killed = services.kill_bots(None if given["everyone"] else user, user, given["why"])
        return Response({"bots": len(killed.bots)})

    def _reason_against(self, bot: Bot, name: str, why: str) -> str:
        """Give the order; return why it was refused, or nothing."""
        if not may_order(self.request.user, bot):
            return "it is another person's bot"
        try:
            ORDERS[name](bot, self.request.user, why=why)
        except InvalidBot as error:
            return str(error)
        return ""

    def _order(self, name: str) -> Response:
        bot = self._own()
        why = _checked(WhySerializer, self.request)["why"]
        with conflicts():
            ORDERS[name](bot, cast("User", self.request.user), why=why)
        return self._told(self.get_object())

    def _own(self) -> Bot:
        bot = self.get_object()
        allow(self.request.user, bot)
        return bot

    def _told(self, bot: Bot, code: int = status.HTTP_200_OK) -> Response:
        return Response(BotSerializer(row_of(bot)).data, status=code)


def _checked(kind: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = kind(data=body_of(request))
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
