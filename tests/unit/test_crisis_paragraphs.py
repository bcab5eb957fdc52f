"""Files of answers that can't be said are refused at the start, with the entry named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from therapy.crisis import paragraphs
from therapy.crisis.paragraphs import AnswersError, load, read

SHIPPED = Path(paragraphs.__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for language in paragraphs.LANGUAGES:
        shutil.copy(SHIPPED / f"answers.{language}.toml", tmp_path)
    return tmp_path


def change(folder: Path, old: str, new: str, language: str = "es") -> None:
    path = folder / f"answers.{language}.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_shipped_files_load(folder: Path) -> None:
    assert set(load(folder)) == {"en", "es"}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('level = "high"', 'level = "enormous"', r"opening 3, level: "),
        ('asks = "safe"', 'asks = "why"', r"opening 3, asks: "),
        ("{help} No hacen", "{helpline} No hacen", r"opening 3, text: .*'{helpline}' is not a slot"),
        ("llama {emergency}. Soy", "llama {emergency. Soy", r"opening 3, text: .*'{emergency' is not a slot"),
        (
            "Te leo, y no me he ido. {help}",
            "Te leo, y no me he ido. {numero}",
            r"again\.high, texts: .*'{numero}'",
        ),
        ("help_phone", "help_fax", r"words, help_phone: "),
        (
            'type = "self_harm"\nlevel = "high"',
            'type = "abuse"\nlevel = "high"',
            "no opening for self_harm, high",
        ),
        ("[[opening]]", "[[opening", r"answers\.es\.toml: "),
    ],
)
def test_broken_entry_is_named(folder: Path, old: str, new: str, named: str) -> None:
    change(folder, old, new)
    with pytest.raises(AnswersError, match=named):
        read(folder / "answers.es.toml")


def test_missing_language_is_refused(folder: Path) -> None:
    (folder / "answers.es.toml").unlink()
    with pytest.raises(AnswersError, match=r"answers\.es\.toml"):
        load(folder)


def test_languages_that_ask_different_questions_are_refused(folder: Path) -> None:
    change(folder, 'asks = "company"', 'asks = "safe"')
    with pytest.raises(AnswersError, match="differ in opening suicidal_ideation, imminent"):
        load(folder)


def test_languages_with_other_variants_are_refused(folder: Path) -> None:
    change(folder, '  "¿Podría alguien sentarse un rato contigo?",\n', "")
    with pytest.raises(AnswersError, match=r"differ in question\.company"):
        load(folder)
