"""What a backfill is asked for by."""

from __future__ import annotations

from rest_framework import serializers

from marketdata.loading.plans import Order
from marketdata.serializers.fields import TimeField
from marketdata.serializers.queries import Query
from tcpdashboard.common.models import Job


class BackfillsQuery(Query):
    exchange = serializers.CharField(required=False)
    symbol = serializers.CharField(required=False)
    state = serializers.ChoiceField(choices=Job.State.choices, required=False)
    cursor = serializers.CharField(required=False, help_text="From next or previous of a page.")
    page_size = serializers.IntegerField(min_value=1, max_value=500, required=False)


class BackfillSerializer(Query):
    """A stretch of history that is to be loaded, start included and end not."""

    exchange = serializers.CharField(help_text="okx or okx-sim")
    symbol = serializers.CharField(help_text="Such as BTC-USDT")
    start = TimeField()
    end = TimeField(required=False, help_text="Until now when it is left out.")
    trades = serializers.BooleanField(
        default=False, help_text="Trades too: the exchange keeps those of about three months."
    )
    order = serializers.ChoiceField(
        choices=[order.value for order in Order],
        default=Order.NEWEST.value,
        help_text="Which end of the candles is loaded first; trades always newest first.",
    )
