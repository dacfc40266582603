"""Credentials: entered once, never shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from marketdata.exchanges import EXCHANGES
from marketdata.models import ExchangeCredential
from tcpdashboard.common.crypto import HIDDEN, KeyTrouble, Sealed, seal

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[ExchangeCredential]
    _ModelAdmin = admin.ModelAdmin[ExchangeCredential]
else:
    _ModelForm, _ModelAdmin = forms.ModelForm, admin.ModelAdmin

SECRETS: Final = ("api_key", "secret", "passphrase")
ADVICE: Final = (
    "Make the key for reading only, without trading and withdrawal, and bind it to this machine's "
    "address: balances are all that is asked for."
)


def _secret(help_text: str = "") -> forms.CharField:
    shown = forms.PasswordInput(attrs={"autocomplete": "off"}, render_value=False)
    return forms.CharField(required=False, widget=shown, help_text=help_text)


class CredentialForm(_ModelForm):
    """A field left empty keeps what is stored."""

    exchange = forms.ChoiceField(choices=[(name, name) for name in EXCHANGES])
    api_key = _secret(ADVICE)
    secret = _secret()
    passphrase = _secret()

    class Meta:
        model = ExchangeCredential
        fields = ("label", "exchange", *SECRETS, "is_demo", "is_enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            for name in SECRETS:
                self.fields[name].widget.attrs["placeholder"] = HIDDEN

    def clean_api_key(self) -> Sealed:
        return self._sealed("api_key")

    def clean_secret(self) -> Sealed:
        return self._sealed("secret")

    def clean_passphrase(self) -> Sealed:
        return self._sealed("passphrase")

    def _sealed(self, name: str) -> Sealed:
        entered = self.cleaned_data[name]
        if entered:
            try:
                return seal(entered)
            except KeyTrouble as error:
                raise forms.ValidationError(str(error)) from None
        stored = getattr(self.instance, name)
        if not isinstance(stored, Sealed):
            raise forms.ValidationError("This field is required.")
        return stored


@admin.register(ExchangeCredential)
class CredentialAdmin(_ModelAdmin):
    form = CredentialForm
    list_display = ("label", "exchange", "is_demo", "is_enabled", "saved_at")
    list_filter = ("exchange", "is_enabled")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self.message_user(request, "Restart the exchange's collector to use it.")
