"""Who may change what the installation does: one rule for REST, pages and the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


def may_change(user: Any, model: type[Model]) -> bool:
    """Return whether `user` is staff, and has the permission to change `model`."""
    permission = get_permission_codename("change", model._meta)
    return bool(
        user.is_active and user.is_staff and user.has_perm(f"{model._meta.app_label}.{permission}")
    )


def may_act_on(user: Any, row: Any) -> bool:
    """Return whether a person may change a row that has an owner: its own, or all of its kind."""
    return row.owner_id == user.pk or may_change(user, type(row))


def refuse_others(user: Any, row: Any) -> None:
    """Raise PermissionDenied unless a person may change a row; see `may_act_on`."""
    if not may_act_on(user, row):
        raise PermissionDenied(f"it is another person's {row._meta.verbose_name}")


def only_who_may_change(model: type[Model]) -> type[BasePermission]:
    """Return the same rule as a permission of REST."""

    class MayChange(BasePermission):
        def has_permission(self, request: Request, view: APIView) -> bool:
            return may_change(request.user, model)

    return MayChange
