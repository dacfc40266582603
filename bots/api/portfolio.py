"""One's own portfolio, the limits over it, and the verdicts that they led to."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots.api.rows import body_of, by_field
from bots.models import OwnerVerdict
from bots.models.portfolios import limits_of, portfolio_of
from bots.serializers.portfolio import (
    LimitsSerializer,
    PortfolioQuery,
    PortfolioSerializer,
    VerdictSerializer,
)
from bots.services import lift_verdict, set_limits
from marketdata.api.queries import read_query
from tcpdashboard.common.jobs.api import NewestFirst


class PortfolioView(APIView):
    """All of one's live bots together."""

    @extend_schema(parameters=[PortfolioQuery], responses=PortfolioSerializer)
    def get(self, request: Request) -> Response:
        """Return equity, exposure, likeness, the best and the worst, and the weeks."""
        asked = read_query(request, PortfolioQuery).get("quote")
        return Response(portfolio_of(request.user, asked))


class LimitsView(APIView):
    """The limits over all of one's bots together."""

    @extend_schema(responses=LimitsSerializer)
    def get(self, request: Request) -> Response:
        """Return one's limits; null for none."""
        return Response(LimitsSerializer(limits_of(request.user)).data)

    @extend_schema(request=LimitsSerializer, responses=LimitsSerializer)
    def patch(self, request: Request) -> Response:
        """Change the limits that are given."""
        user = cast("User", request.user)
        with by_field():
            limits = set_limits(user, body_of(request), user)
        return Response(LimitsSerializer(limits).data)


class VerdictViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[OwnerVerdict]
):
    """When a limit over all of one's bots was reached."""

    serializer_class = VerdictSerializer
    pagination_class = NewestFirst
    queryset = OwnerVerdict.objects.select_related("lifted_by")
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[OwnerVerdict]:
        return self.queryset.filter(owner=cast("User", self.request.user)).order_by("-pk")

    @extend_schema(request=None, responses=VerdictSerializer)
    @action(detail=True, methods=["post"])
    def lift(self, request: Request, pk: str) -> Response:
        """End a verdict before its time; bots that it paused may enter again."""
        verdict = self.get_object()
        lift_verdict(verdict, cast("User", request.user))
        verdict.refresh_from_db()
        return Response(self.get_serializer(verdict).data)
