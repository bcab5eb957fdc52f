"""The documents in docs/ are what the code says. `make documents` writes them anew."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

from chat.management.commands.write_documents import DOCUMENTS

FOLDER = settings.BASE_DIR / "docs"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_is_what_the_code_says(name):
    assert (FOLDER / name).read_text() == DOCUMENTS[name](), "run `make documents`"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_is_the_same_each_time(name):
    assert DOCUMENTS[name]() == DOCUMENTS[name]()


def test_openapi_names_what_needs_a_token():
    import yaml

    paths = yaml.safe_load(DOCUMENTS["openapi.yaml"]())["paths"]
    guarded = {
        path
        for path, methods in paths.items()
        if any("accessToken" in s for m in methods.values() for s in m.get("security", ()))
    }
    assert guarded == {"/api/messages/", "/api/progress/"}


def test_openapi_is_made_without_a_warning(capsys):
    DOCUMENTS["openapi.yaml"]()
    assert "Warning" not in capsys.readouterr().err


def test_command_writes_every_document(tmp_path, capsys):
    from django.core.management import call_command

    call_command("write_documents", into=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(DOCUMENTS)


NAMED_TEST = re.compile(r"`((?:tests/\w+/)?test_\w+\.py)(?:::(test_\w+))?`")


@pytest.mark.parametrize("document", ["README.md", "docs/faults.md"])
def test_every_test_that_a_document_names_exists(document):
    named = NAMED_TEST.findall((settings.BASE_DIR / document).read_text())
    assert len(named) > 10
    for path, name in named:
        (file,) = settings.BASE_DIR.glob(path if "/" in path else f"tests/*/{path}")
        assert f"def {name}" in file.read_text(), f"{path} has no {name}"
