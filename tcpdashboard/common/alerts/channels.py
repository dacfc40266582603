"""Making and changing channels: what is given is checked, what gives access is sealed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from tcpdashboard.common.alerts.destinations import ForbiddenDestination, check_url
from tcpdashboard.common.crypto import KeyTrouble, seal
from tcpdashboard.common.models import AlertChannel

_SECRETS: Final = ("secret", "signing_key")
_ONLY: Final = {"signing_key": "webhook", "server": "telegram"}


def checked(given: Mapping[str, Any], channel: AlertChannel | None = None) -> dict[str, Any]:
    """Return the columns of a new channel, or of a change of `channel`, secrets sealed.

    A secret that is not given stays as it is; "" takes a signing key away. Raises ValidationError
    by field.
    """
    values = {name: value for name, value in given.items() if name not in _SECRETS}
    plain = {name: given[name] for name in _SECRETS if given.get(name) is not None}
    kind = AlertChannel.Kind(values.get("kind") or (channel and channel.kind) or "")
    errors: dict[str, str] = {}
    if channel is not None and kind != channel.kind:
        errors["kind"] = "a channel keeps its kind: make another one"
    errors |= _stray(kind, given)
    if kind == AlertChannel.Kind.WEBHOOK:
        errors |= _webhook(plain, values, channel)
    elif kind == AlertChannel.Kind.TELEGRAM:
        errors |= _telegram(plain, values, channel)
    else:
        errors |= _email(values, channel)
    errors |= _hours(values, channel)
    if errors:
        raise ValidationError(errors)
    return values | _sealed(plain)


def _webhook(
    plain: dict[str, str], values: dict[str, Any], channel: AlertChannel | None
) -> dict[str, str]:
    url = plain.get("secret", "")
    if not url:
        return {} if channel else {"secret": "expected the address that is posted to"}
    try:
        host = check_url(url)
    except ForbiddenDestination as error:
        return {"secret": str(error)}
    # The path often is the secret; people know the channel by its host.
    values["address"] = f"{urlsplit(url).scheme}://{host}"[:254]
    return {}


def _telegram(
    plain: dict[str, str], values: dict[str, Any], channel: AlertChannel | None
) -> dict[str, str]:
    errors = {}
    if not plain.get("secret") and channel is None:
        errors["secret"] = "expected the bot's token, as BotFather gave it"  # noqa: S105  # noqa: S105
    if not values.get("address", channel and channel.address):
        errors["address"] = "expected the id of the chat, or @ and the channel's name"
    if server := values.get("server"):
        try:
            check_url(server)
        except ForbiddenDestination as error:
            errors["server"] = str(error)
    return errors


def _email(values: dict[str, Any], channel: AlertChannel | None) -> dict[str, str]:
    try:
        validate_email(values.get("address", channel and channel.address))
    except ValidationError as error:
        return {"address": str(error.message)}
    return {}


def _hours(values: Mapping[str, Any], channel: AlertChannel | None) -> dict[str, str]:
    begin = values.get("quiet_from", channel and channel.quiet_from)
    end = values.get("quiet_to", channel and channel.quiet_to)
    zone = values.get("time_zone", "UTC")
    errors = {}
    if (begin is None) != (end is None):
        errors["quiet_to" if end is None else "quiet_from"] = "quiet hours have a begin and an end"
    if zone not in available_timezones():
        errors["time_zone"] = f"there is no time zone {zone!r}; expected such as Europe/Berlin"
    return errors


def _stray(kind: AlertChannel.Kind, given: Mapping[str, Any]) -> dict[str, str]:
    errors = {
        name: f"only a channel of kind {owner} has it"
        for name, owner in _ONLY.items()
        if given.get(name) and kind != owner
    }
    if kind == AlertChannel.Kind.EMAIL and given.get("secret"):
        errors["secret"] = "an e-mail needs none: the server is set with TCPD_EMAIL_URL"  # noqa: S105  # noqa: S105
    return errors


def _sealed(plain: Mapping[str, str]) -> dict[str, Any]:
    try:
        return {
            name: seal(value) if value else None
            for name, value in plain.items()
            if value or name == "signing_key"
        }
    except KeyTrouble as error:
        raise ValidationError({"secret": str(error)}) from None
