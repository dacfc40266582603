"""Columns that keep their values sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError
from django.db import models

from tcpdashboard.common.crypto import Sealed, seal

if TYPE_CHECKING:
    _TextField = models.TextField[Any, Any]
else:
    _TextField = models.TextField


class EncryptedTextField(_TextField):
    """A text that is stored encrypted and read back as `Sealed`.

    A plain text that is assigned is sealed when it is saved, which raises KeyTrouble without a
    key; a `Sealed` is stored as it is. It cannot be searched for.
    """

    def get_prep_value(self, value: Any) -> Any:
        if value is None or isinstance(value, Sealed):
            return value and value.token
        return seal(str(value)).token

    def from_db_value(self, value: str | None, *_context: object) -> Sealed | None:
        return None if value is None else Sealed(value)

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, Sealed) else super().to_python(value)

    def value_to_string(self, obj: models.Model) -> str:
        # Dumps carry what the table holds.
        return str(self.get_prep_value(self.value_from_object(obj)))

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is encrypted: nothing can be looked for in it")
        return super().get_lookup(lookup_name)
