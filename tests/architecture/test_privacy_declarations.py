"""Export, erasure and retention read what the models declare; a field nobody thought of must not slip past them."""

from typing import Any

import pytest
from django.apps import apps
from django.db import models

from privacy.fields import EncryptedJSONField

CATEGORIES = {"identity", "words", "clinical", "technical"}
MODELS = [model for app in ("therapy", "privacy") for model in apps.get_app_config(app).get_models()]


def own_fields(model: type[models.Model]) -> dict[str, Any]:
    return {field.name: field for field in (*model._meta.local_fields, *model._meta.local_many_to_many)}


def declared(model: type[models.Model]) -> dict[str, str]:
    privacy = getattr(model, "Privacy", None)
    return dict(privacy.fields) if privacy else {}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_field_is_declared_and_nothing_else(model: type[models.Model]) -> None:
    assert set(declared(model)) == set(own_fields(model))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_categories_are_known(model: type[models.Model]) -> None:
    assert set(declared(model).values()) <= CATEGORIES


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_words_are_encrypted(model: type[models.Model]) -> None:
    fields = own_fields(model)
    words = [name for name, category in declared(model).items() if category == "words"]
    assert all(isinstance(fields[name], EncryptedJSONField) for name in words)


def test_there_are_models_to_look_at() -> None:
    assert {"therapy.Message", "therapy.ProgressMarker", "privacy.AuditEvent"} <= {
        m._meta.label for m in MODELS
    }
