"""Model fields that are sealed at rest and open only when they are read."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from privacy.encryption import Keyring, row_identity


@lru_cache(maxsize=1)
def keyring() -> Keyring:
    """The keyring of FIELD_ENCRYPTION_KEYS."""
    return Keyring(settings.FIELD_ENCRYPTION_KEYS)


def _forget_keys(*, setting: str, **_: Any) -> None:
    if setting == "FIELD_ENCRYPTION_KEYS":
        keyring.cache_clear()


setting_changed.connect(_forget_keys)


class Sealed(bytes):
    """A value as it lies in the database."""


class _Opened:
    """The attribute of an encrypted field: opens a sealed value at its first read."""

    def __init__(self, field: EncryptedJSONField) -> None:
        self.field = field

    def __get__(self, row: models.Model | None, owner: type | None = None) -> Any:
        if row is None:
            return self
        name = self.field.attname
        if name not in row.__dict__:
            row.refresh_from_db(fields=[name])  # deferred
        value = row.__dict__[name]
        if isinstance(value, Sealed):
            value = row.__dict__[name] = self.field.unseal(value, row.pk)
        return value

    def __set__(self, row: models.Model, value: Any) -> None:
        row.__dict__[self.field.attname] = value


class EncryptedJSONField(models.BinaryField):  # type: ignore[type-arg]  # no subscript at run time
    """Any JSON value (a text, mostly), sealed with the row's identity; the primary key must be set before saving."""

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _Opened(self))

    @property
    def column_identity(self) -> str:
        return f"{self.model._meta.label_lower}.{self.attname}"

    def seal(self, value: Any, row_id: object) -> Sealed:
        plain = json.dumps(value, ensure_ascii=False).encode()
        return Sealed(keyring().seal(plain, self._identity(row_id)))

    def unseal(self, value: bytes, row_id: object) -> Any:
        return json.loads(keyring().open(bytes(value), self._identity(row_id)))

    def _identity(self, row_id: object) -> bytes:
        if row_id is None:
            raise TypeError(f"{self.column_identity} is sealed per row: set the primary key before saving")
        return row_identity(self.column_identity, self.model._meta.pk.to_python(row_id))

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Sealed | None:
        return None if value is None else Sealed(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = model_instance.__dict__[self.attname]
        if value is None:
            return None
        if not isinstance(value, Sealed):
            return self.seal(value, model_instance.pk)
        if add:  # a copy under another key would never open again: fail now, while the original is at hand
            self.unseal(value, model_instance.pk)
        return value

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        if value is not None and not isinstance(value, Sealed):
            raise TypeError(
                f"{self.column_identity} is sealed per row: save the row instead of updating by query"
            )
        return super().get_db_prep_value(value, connection, prepared)

    def get_lookup(self, lookup_name: str) -> Any:
        """What is sealed can't be searched, only be there or not."""
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def to_python(self, value: Any) -> Any:
        return value  # BinaryField would take a text for base64

    def value_to_string(self, obj: models.Model) -> str:
        """For dumps: sealed, since nobody means to write the players' words into a file of fixtures."""
        return base64.b64encode(self.seal(self.value_from_object(obj), obj.pk)).decode()
