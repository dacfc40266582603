"""REST of channels: where alerts are told, a test of each, and what became of every message."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as Refused
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from tcpdashboard.common.alerts.channels import checked
from tcpdashboard.common.alerts.delivering import test_channel
from tcpdashboard.common.models import AlertChannel, AlertDelivery
from tcpdashboard.common.rights import may_change

_MOST_SHOWN = 100


class ChannelSerializer(serializers.ModelSerializer[AlertChannel]):
    owner = serializers.CharField(
        source="owner.username", allow_null=True, read_only=True, default=None
    )
    for_everybody = serializers.BooleanField(
        write_only=True, default=False, help_text="All alerts, not only one's own; for staff."
    )
    address = serializers.CharField(
        max_length=254, required=False, help_text="E-mail address, or id of the Telegram chat."
    )
    secret = serializers.CharField(
        max_length=2000,
        write_only=True,
        required=False,
        help_text="Address of the webhook, or token of the Telegram bot. Never shown again.",
    )
    signing_key = serializers.CharField(
        max_length=500,
        write_only=True,
        required=False,
        allow_blank=True,
        help_text="A webhook's: HMAC-SHA256 of the body in X-Signature-SHA256.",
    )
    is_signed = serializers.SerializerMethodField()

    class Meta:
        model = AlertChannel
        fields = (
            "id",
            "owner",
            "for_everybody",
            "name",
            "kind",
            "address",
            "server",
            "secret",
            "signing_key",
            "is_signed",
            "min_severity",
            "tells_end",
            "quiet_from",
            "quiet_to",
            "time_zone",
            "is_quiet_for_critical",
            "is_enabled",
            "created_at",
        )
        # One owner's names differ; the owner is not among what is given.
        validators: tuple[Any, ...] = ()
        read_only_fields = ("created_at",)

    def get_is_signed(self, channel: AlertChannel) -> bool:
        return channel.signing_key is not None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        everybody = attrs.pop("for_everybody", None)
        try:
            values = checked(attrs, self.instance)
        except Refused as error:
            raise ValidationError(error.message_dict) from None
        return values if self.instance else values | {"for_everybody": everybody}


@extend_schema_serializer(component_name="AlertDelivery")
class DeliverySerializer(serializers.ModelSerializer[AlertDelivery]):
    class Meta:
        model = AlertDelivery
        fields = (
            "id",
            "alert",
            "event",
            "state",
            "attempts",
            "response",
            "created_at",
            "next_at",
            "finished_at",
        )
        read_only_fields = fields


class ChannelViewSet(viewsets.ModelViewSet[AlertChannel]):
    """One's own channels; for staff also those that tell all alerts. Secrets are never answered."""

    serializer_class = ChannelSerializer
    queryset = AlertChannel.objects.select_related("owner")
    pagination_class = None
    lookup_value_regex = r"\d{1,18}"
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self) -> QuerySet[AlertChannel]:
        return self.queryset.visible_to(self.request.user)

    def perform_create(self, serializer: serializers.BaseSerializer[AlertChannel]) -> None:
        is_everybodys = serializer.validated_data.pop("for_everybody", False)
        if is_everybodys:
            self._refuse_others()
        self._saved(serializer, owner=None if is_everybodys else self.request.user)

    def perform_update(self, serializer: serializers.BaseSerializer[AlertChannel]) -> None:
        self._refuse_unless_own(self.get_object())
        self._saved(serializer)

    def perform_destroy(self, instance: AlertChannel) -> None:
        self._refuse_unless_own(instance)
        instance.delete()

    @extend_schema(request=None, responses=DeliverySerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send a test message now and answer what became of it."""
        channel = self.get_object()
        self._refuse_unless_own(channel)
        return Response(DeliverySerializer(test_channel(channel)).data)

    @extend_schema(responses=DeliverySerializer(many=True))
    @action(detail=True)
    def deliveries(self, request: Request, pk: str) -> Response:
        """List the newest messages, and what became of each."""
        rows = self.get_object().deliveries.all()[:_MOST_SHOWN]
        return Response(DeliverySerializer(rows, many=True).data)

    def _saved(self, serializer: serializers.BaseSerializer[AlertChannel], **values: Any) -> None:
        try:
            with transaction.atomic():
                serializer.save(**values)
        except IntegrityError as error:
            if "channel_name_unique" not in str(error):
                raise
            raise ValidationError({"name": ["there is a channel of this name already"]}) from None

    def _refuse_unless_own(self, channel: AlertChannel) -> None:
        if channel.owner_id != self.request.user.pk:
            self._refuse_others()

    def _refuse_others(self) -> None:
        if not may_change(self.request.user, AlertChannel):
            raise PermissionDenied("everybody's channels are for staff who may change channels")
