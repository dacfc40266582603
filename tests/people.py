"""People with rights, for tests."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission


def make_staff(name="staff", *models, **values):
    """Make somebody who administers: staff who may change `models` ("instrument"), or all."""
    user = get_user_model().objects.create_user(name, is_staff=True, **values)
    rights = Permission.objects.filter(codename__startswith="change_")
    if models:
        rights = rights.filter(codename__in=[f"change_{model}" for model in models])
    user.user_permissions.set(rights)
    return user
