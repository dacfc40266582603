"""Bots in the admin: orders go through the services; what bots did is there to be read alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from bots import services
from bots.models import (
    Bot,
    BotCommand,
    BotEvent,
    BotRun,
    Fill,
    LedgerEntry,
    Order,
    OwnerLimits,
    OwnerVerdict,
    ParityReport,
    Signal,
)
from bots.services import InvalidBot

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _ModelForm = forms.ModelForm[Bot]
else:
    _ModelAdmin = admin.ModelAdmin
    _ModelForm = forms.ModelForm

_EXAMPLE: Final = '{"name": "EMA on BTC", "symbol": "BTC-USDT", "config": "EMA 12/26"}'


class ReadOnly(_ModelAdmin):
    """Rows that nobody adds, changes or deletes by hand."""

    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [field.name for field in self.opts.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class NewBotForm(_ModelForm):
    """A bot for anybody, described as in a file for `create_bot --config`."""

    draft: services.BotDraft
    refused: Mapping[str, str] = MappingProxyType({})
    """Why it could not be made although it had been checked, by field."""
    description = forms.JSONField(
        help_text=f"As in a file for create_bot, such as {_EXAMPLE}; it waits until it is started."
    )

    class Meta:
        model = Bot
        fields = ("owner",)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        if self.refused:
            raise _beside(self.refused)
        owner, given = cleaned["owner"], cleaned["description"]
        if not isinstance(given, dict):
            raise forms.ValidationError({"description": "Expected an object."})
        try:
            self.draft = services.checked(owner, given)
        except InvalidBot as error:
            raise _beside(error.errors) from error
        if Bot.objects.filter(owner=owner, name=self.draft.name, deleted_at=None).exists():
            self.add_error("description", f"name: {owner} has a bot called {self.draft.name!r}")
        return cleaned


def _beside(errors: Mapping[str, str]) -> forms.ValidationError:
    return forms.ValidationError(
        {"description": [f"{field}: {reason}" for field, reason in errors.items()]}
    )


@admin.register(Bot)
class BotAdmin(ReadOnly):
    list_display = (
        "id",
        "name",
        "owner",
        "instrument",
        "timeframe",
        "config",
        "state",
        "desired",
        "trouble",
        "cursor",
        "heartbeat_at",
        "deleted_at",
    )
    list_display_links = ("id", "name")
    list_filter = ("state", "trouble", "drive", "timeframe", "owner")
    list_select_related = ("owner", "instrument", "config")
    search_fields = ("name", "instrument__symbol")
    exclude = ("kernel",)
    actions = ("start", "stop", "pause", "resume", "flatten")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return cast("User", request.user).has_perm("bots.add_bot")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        fields = super().get_readonly_fields(request, obj) if obj else []
        return [name for name in fields if name not in self.exclude]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = NewBotForm
        form: Any = super().get_form(request, obj, change, **kwargs)
        # The class is made for this request alone.
        form.refused = getattr(request, "refused", {})
        return form

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Show what was typed with the reason where it is refused although it was checked.

        As with a name that somebody else took in the meantime.
        """
        try:
            return super().add_view(request, form_url, extra_context)
        except InvalidBot as error:
            cast("Any", request).refused = error.errors
            return super().add_view(request, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make the bot through the service; nothing of an existing one is entered here."""
        if not change:
            made = services.create_bot(obj.owner, form.draft, cast("User", request.user))
            obj.__dict__.update(made.__dict__)

    @admin.action(description="Start", permissions=["change"])
    def start(self, request: HttpRequest, queryset: QuerySet[Bot]) -> None:
        _each(request, queryset, services.start_bot, "start")

    @admin.action(description="Stop, flat", permissions=["change"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Bot]) -> None:
        _each(request, queryset, services.stop_bot, "stop")

    @admin.action(description="Pause: enter nothing new", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Bot]) -> None:
        _each(request, queryset, services.pause_bot, "pause")

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Bot]) -> None:
        _each(request, queryset, services.resume_bot, "go on")

    @admin.action(description="Flatten", permissions=["change"])
    def flatten(self, request: HttpRequest, queryset: QuerySet[Bot]) -> None:
        _each(request, queryset, services.flatten_bot, "flatten")


@admin.register(BotRun)
class BotRunAdmin(ReadOnly):
    list_display = ("bot", "number", "version", "config", "start", "end", "end_reason")
    list_filter = ("end_reason", "strategy")
    list_select_related = ("bot", "config")
    exclude = ("first_kernel", "last_kernel")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        fields = super().get_readonly_fields(request, obj)
        return [name for name in fields if name not in self.exclude]


@admin.register(Signal)
class SignalAdmin(ReadOnly):
    list_display = ("bot", "time", "before", "target", "price", "is_missed")
    list_filter = ("is_missed",)
    list_select_related = ("bot",)


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = ("bot", "number", "made", "reason", "target", "state", "outcome")
    list_filter = ("state", "reason")
    list_select_related = ("bot",)


@admin.register(Fill)
class FillAdmin(ReadOnly):
    list_display = ("bot", "time", "reason", "quantity", "price", "fee", "position", "realised")
    list_filter = ("reason",)
    list_select_related = ("bot",)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnly):
    list_display = ("bot", "posting", "time", "account", "currency", "amount", "fill")
    list_filter = ("account", "currency")
    list_select_related = ("bot", "fill")


@admin.register(BotEvent)
class BotEventAdmin(ReadOnly):
    list_display = ("bot", "at", "kind", "before", "after", "source", "actor", "why")
    list_filter = ("kind", "source")
    list_select_related = ("bot", "actor")


@admin.register(BotCommand)
class BotCommandAdmin(ReadOnly):
    list_display = ("bot", "asked_at", "kind", "source", "asked_by", "applied_at", "why")
    list_filter = ("kind", "source")
    list_select_related = ("bot", "asked_by")


@admin.register(ParityReport)
class ParityReportAdmin(ReadOnly):
    list_display = ("run", "made_at", "reason", "minutes", "fills", "known", "repaired")
    list_filter = ("known", "repaired", "reason")
    list_select_related = ("run", "run__bot")


@admin.register(OwnerLimits)
class OwnerLimitsAdmin(ReadOnly):
    list_display = (
        "owner",
        "max_daily_loss",
        "max_drawdown",
        "max_exposure",
        "max_open_bots",
        "action",
    )
    list_select_related = ("owner",)


@admin.register(OwnerVerdict)
class OwnerVerdictAdmin(ReadOnly):
    list_display = ("owner", "limit", "action", "time", "lifted_at", "lifted_by")
    list_filter = ("limit", ("lifted_at", admin.EmptyFieldListFilter))
    list_select_related = ("owner", "lifted_by")
    actions = ("lift",)

    @admin.action(description="Lift", permissions=["change"])
    def lift(self, request: HttpRequest, queryset: QuerySet[OwnerVerdict]) -> None:
        standing = queryset.filter(lifted_at=None)
        for verdict in standing:
            services.lift_verdict(verdict, cast("User", request.user))
        messages.success(request, f"{len(standing)} verdicts are lifted")


def _each(request: HttpRequest, bots: QuerySet[Bot], order: Callable[..., Any], name: str) -> None:
    """Give every bot the order; one that is refused is told and does not stop the others."""
    done = 0
    for bot in bots:
        try:
            order(bot, request.user, why="ordered in the administration")
        except InvalidBot as refused:
            messages.error(request, f"{bot}: {refused}")
        else:
            done += 1
    if done:
        messages.success(request, f"{done} bots were asked to {name}")
