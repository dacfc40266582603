"""Configurations in the admin: each save makes the next version of one that was used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest

from strategies.loading import Draft, InvalidConfig, checked
from strategies.models import StrategyConfig
from strategies.services import create_config, delete_config, request_check, save_config

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[StrategyConfig]
    _ModelAdmin = admin.ModelAdmin[StrategyConfig]
else:
    _ModelForm, _ModelAdmin = forms.ModelForm, admin.ModelAdmin

_ENTERED = ("name", "strategy", "timeframe", "params")


class ConfigForm(_ModelForm):
    """Checks the parameters as the API does, and keeps what was checked."""

    draft: Draft

    class Meta:
        model = StrategyConfig
        fields = _ENTERED

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        given = {name: cleaned[name] for name in _ENTERED if name in cleaned}
        if self.instance.pk is not None:
            given["name"] = self.instance.name
        if not self.errors:
            try:
                self.draft = checked(given | {"params": given.get("params") or {}})
            except InvalidConfig as error:
                for field, reason in error.errors.items():
                    name, _, parameter = field.partition(".")
                    self.add_error(name, f"{parameter}: {reason}" if parameter else reason)
        return cleaned


@admin.register(StrategyConfig)
class StrategyConfigAdmin(_ModelAdmin):
    form = ConfigForm
    list_display = ("name", "version", "owner", "strategy", "timeframe", "is_proven", "used_at")
    list_filter = ("strategy", "timeframe", "is_proven")
    list_select_related = ("owner",)
    search_fields = ("name",)
    readonly_fields = ("owner", "version", "used_at", "is_proven", "proofs", "proven_at")
    actions = ("prove",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.readonly_fields, *(("name",) if obj else ()))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save through the service; `obj` becomes the version that holds it."""
        if change:
            saved = save_config(StrategyConfig.objects.get(pk=obj.pk).owner, form.draft)
        else:
            saved = create_config(cast("User", request.user), form.draft)
        if change and saved.pk != obj.pk:
            self.message_user(request, f"It was used before: saved as {saved}.")
        obj.__dict__.update(saved.__dict__)

    def delete_model(self, request: HttpRequest, obj: StrategyConfig) -> None:
        delete_config(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[StrategyConfig]) -> None:
        for config in queryset.select_related("owner"):
            delete_config(config)

    @admin.action(description="Check for look-ahead and warm-up")
    def prove(self, request: HttpRequest, queryset: QuerySet[StrategyConfig]) -> None:
        for config in queryset:
            request_check(config, cast("User", request.user))
        self.message_user(request, "Workers are proving them; reload in a moment.", messages.INFO)
