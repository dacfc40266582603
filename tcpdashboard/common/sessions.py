"""Whether logins still stand: asked for many at once, and told at once when somebody logs out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any, Final

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from tcpdashboard.common.realtime import notify

ENDED: Final = "sessions"
"""The topic on which ended sessions are told between processes; no browser may follow it."""


def standing_users(session_keys: Collection[str]) -> dict[str, AbstractUser]:
    """Return, by session key, the users who would still be let in; two queries for all.

    Left out is whoever logged out, whose session ran out, who is gone or not active any more, or
    whose password was changed elsewhere.
    """
    rows = Session.objects.filter(session_key__in=session_keys, expire_date__gt=timezone.now())
    sessions = {row.session_key: row.get_decoded() for row in rows}
    model = get_user_model()
    users = model.objects.filter(is_active=True).in_bulk(
        {session[SESSION_KEY] for session in sessions.values() if SESSION_KEY in session}
    )
    found = {
        key: users.get(model._meta.pk.to_python(session.get(SESSION_KEY)))
        for key, session in sessions.items()
    }
    return {
        key: user
        for key, user in found.items()
        if user is not None and _has_same_password(user, sessions[key])
    }


def tell_ended(request: HttpRequest, **_signal: Any) -> None:
    """Tell every process that the request's session ends; a receiver of `user_logged_out`."""
    key = request.session.session_key
    if key is not None:
        notify(ENDED, {"session": fingerprint(key)}, final=True)


def fingerprint(session_key: str) -> str:
    """Return what stands for a session where its key, which logs in, must not be seen."""
    return hashlib.sha256(session_key.encode()).hexdigest()


def _has_same_password(user: AbstractUser, session: dict[str, Any]) -> bool:
    kept = session.get(HASH_SESSION_KEY, "")
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(kept, known) for known in hashes)
