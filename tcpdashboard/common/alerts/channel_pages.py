"""Channels on the Alerts page: a list with the last message of each, and a form for another."""

from __future__ import annotations

from typing import Any, Final, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from tcpdashboard.common.alerts.channels import checked
from tcpdashboard.common.alerts.delivering import test_channel
from tcpdashboard.common.forms import style
from tcpdashboard.common.models import Alert, AlertChannel, AlertDelivery
from tcpdashboard.common.rights import may_change, refuse_others

_MOST_MESSAGES: Final = 20


class ChannelForm(forms.Form):
    """What a person says of a new channel; `checked` says whether it can be."""

    name = forms.CharField(max_length=64)
    kind = forms.ChoiceField(choices=AlertChannel.Kind.choices)
    secret = forms.CharField(
        max_length=2000,
        required=False,
        label="Address of the webhook, or token of the Telegram bot",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Kept sealed, never shown again. An e-mail needs none.",
    )
    address = forms.CharField(
        max_length=254, required=False, label="E-mail address, or id of the Telegram chat"
    )
    signing_key = forms.CharField(
        max_length=500,
        required=False,
        label="Key that signs what a webhook gets",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    min_severity = forms.ChoiceField(
        choices=Alert.Severity.choices, initial=Alert.Severity.WARNING, label="From severity"
    )
    quiet_from = forms.TimeField(
        required=False, label="Quiet from", widget=forms.TimeInput(attrs={"type": "time"})
    )
    quiet_to = forms.TimeField(
        required=False, label="Quiet until", widget=forms.TimeInput(attrs={"type": "time"})
    )
    time_zone = forms.CharField(max_length=64, initial="UTC", label="Time zone of these")
    tells_end = forms.BooleanField(required=False, initial=True, label="Tell when it is over, too")
    is_quiet_for_critical = forms.BooleanField(
        required=False, label="Hold critical alerts back in quiet hours, too"
    )
    for_everybody = forms.BooleanField(required=False, label="All alerts, not only mine")

    def __init__(self, *args: Any, is_staff: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_staff:
            del self.fields["for_everybody"]
        style(self)

    def clean(self) -> dict[str, Any]:
        given = dict(super().clean() or {})
        given.pop("for_everybody", None)
        if self.errors:
            return self.cleaned_data
        filled = {name: value for name, value in given.items() if value != ""}
        try:
            self.values = checked(filled)
        except ValidationError as error:
            for field, reasons in error.message_dict.items():
                self.add_error(field, reasons)
        return self.cleaned_data


def form_for(request: HttpRequest) -> ChannelForm:
    """Return the form as the request fills it; empty unless it posts."""
    is_staff = may_change(request.user, AlertChannel)
    return ChannelForm(request.POST if request.method == "POST" else None, is_staff=is_staff)


def channels_context(request: HttpRequest, form: ChannelForm) -> dict[str, Any]:
    """Return what the section of the Alerts page shows."""
    may_all = may_change(request.user, AlertChannel)
    channels = list(AlertChannel.objects.visible_to(request.user).select_related("owner"))
    rows = AlertDelivery.objects.filter(channel__in=channels).select_related("alert", "channel")
    newest = rows.order_by("channel_id", "-pk").distinct("channel_id")
    last: dict[int, AlertDelivery] = {row.channel_id: row for row in newest}
    return {
        "channels": [
            {
                "row": one,
                "last": last.get(one.pk),
                "may_change": may_all or one.owner_id == request.user.pk,
            }
            for one in channels
        ],
        "deliveries": list(rows.order_by("-pk")[:_MOST_MESSAGES]),
        "form": form,
    }


@require_POST
def test_it(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a test, and say what became of it."""
    told = test_channel(_changeable(request, pk))
    if told.state == AlertDelivery.State.SENT:
        messages.success(request, f"The test was sent: {told.response}")
    else:
        messages.error(request, f"The test was not sent: {told.response}")
    return back_to_channels()


@require_POST
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch a channel off, or on again."""
    channel = _changeable(request, pk)
    AlertChannel.objects.filter(pk=pk).update(is_enabled=not channel.is_enabled)
    return back_to_channels()


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a channel and the record of its messages."""
    _changeable(request, pk).delete()
    return back_to_channels()


def make_channel(request: HttpRequest, form: ChannelForm) -> bool:
    """Make what a valid form asks for; False, with the form saying why, when it cannot be."""
    user = cast("User", request.user)
    owner = None if form.cleaned_data.get("for_everybody") else user
    try:
        with transaction.atomic():
            AlertChannel.objects.create(owner=owner, **form.values)
    except IntegrityError as error:
        if "channel_name_unique" not in str(error):
            raise
        form.add_error("name", "There is a channel of this name already.")
        return False
    return True


def _changeable(request: HttpRequest, pk: int) -> AlertChannel:
    channel = get_object_or_404(AlertChannel.objects.visible_to(request.user), pk=pk)
    refuse_others(request.user, channel)
    return channel


def back_to_channels() -> HttpResponse:
    """Lead to the section of channels."""
    return redirect(f"{reverse('alerts')}#channels")


urlpatterns = [
    path("channels/<int:pk>/test", test_it, name="channel-test"),
    path("channels/<int:pk>/switch", switch, name="channel-switch"),
    path("channels/<int:pk>/delete", delete, name="channel-delete"),
]
