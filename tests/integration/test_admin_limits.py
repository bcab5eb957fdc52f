"""What a clinician notes of a player's exercises, and the worksheets they read, in the admin."""

# ruff: noqa: F811  (fixtures that were imported are arguments here)

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError
from django.test import Client

from privacy import audit
from privacy.models import AuditEvent
from tests.integration.test_admin import (  # noqa: F401  (fixtures)
    ana,
    ben,
    ben_page,
    cleo,
    cleo_page,
    detail_page,
    in_care,
    list_page,
    refuse,
    text_of,
)
from therapy.models import PlayerProfile

NOTED = {"contraindications": ["cardiac"], "allowed_exercises": [], "denied_exercises": ["worry_time"]}


@pytest.fixture
def profile(in_care: SimpleNamespace) -> PlayerProfile:
    return in_care.playerprofile


def noted(profile: PlayerProfile) -> dict[str, Any]:
    profile.refresh_from_db()
    return {name: getattr(profile, name) for name in NOTED}


def test_clinician_notes_what_suits_their_player(ben_page: Client, profile: PlayerProfile) -> None:
    assert ben_page.post(detail_page(profile), NOTED).status_code == 302
    assert noted(profile) == NOTED


def test_what_was_noted_is_shown_and_can_be_taken_back(ben_page: Client, profile: PlayerProfile) -> None:
    ben_page.post(detail_page(profile), NOTED)
    shown = ben_page.get(detail_page(profile)).content.decode()
    assert shown.count(" checked") == 2
    ben_page.post(detail_page(profile), {})
    assert noted(profile) == {name: [] for name in NOTED}


def test_noting_leaves_an_audit_event(ben_page: Client, ben: Any, profile: PlayerProfile) -> None:
    ben_page.post(detail_page(profile), NOTED)
    event = AuditEvent.objects.get()
    assert (event.action, event.actor, event.object_type) == ("change", str(ben.pk), "profile")
    assert event.player == str(profile.pk)


def test_what_can_not_be_audited_is_not_noted(
    ben_page: Client,
    profile: PlayerProfile,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit, "record", refuse)
    with pytest.raises(DatabaseError):
        ben_page.post(detail_page(profile), NOTED)
    assert noted(profile) == {name: [] for name in NOTED}


@pytest.mark.parametrize("field", ["intensity", "language", "head", "goal"])
def test_nothing_else_of_a_profile_is_changed(ben_page: Client, profile: PlayerProfile, field: str) -> None:
    before = getattr(profile, field)
    ben_page.post(detail_page(profile), {**NOTED, field: "3"})
    profile.refresh_from_db()
    assert getattr(profile, field) == before


def test_log_that_grows_meanwhile_keeps_its_head(
    ben_page: Client,
    profile: PlayerProfile,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from therapy.admin.conversations import LimitsForm

    clean = LimitsForm.clean

    def grow(form: Any) -> Any:
        PlayerProfile.objects.update(head=41)
        return clean(form)

    monkeypatch.setattr(LimitsForm, "clean", grow)
    ben_page.post(detail_page(profile), NOTED)
    profile.refresh_from_db()
    assert (profile.head, profile.denied_exercises) == (41, ["worry_time"])


@pytest.mark.parametrize("field", NOTED)
def test_names_outside_the_catalogue_are_refused(
    ben_page: Client, profile: PlayerProfile, field: str
) -> None:
    assert ben_page.post(detail_page(profile), {field: ["yoga"]}).status_code == 200
    assert noted(profile) == {name: [] for name in NOTED}
    setattr(profile, field, ["yoga"])
    with pytest.raises(ValidationError) as refusal:
        profile.full_clean()
    assert field in refusal.value.error_dict


def test_clinician_of_nobody_notes_nothing(cleo_page: Client, profile: PlayerProfile) -> None:
    cleo_page.post(detail_page(profile), NOTED)
    assert noted(profile) == {name: [] for name in NOTED}


def test_without_the_permission_nothing_is_noted(ben_page: Client, ben: Any, profile: PlayerProfile) -> None:
    from django.contrib.auth.models import Permission

    ben.groups.get().permissions.remove(Permission.objects.get(codename="change_playerprofile"))
    assert ben_page.post(detail_page(profile), NOTED).status_code == 403
    assert noted(profile) == {name: [] for name in NOTED}


# --- worksheets --------------------------------------------------------------------------------------


@pytest.fixture
def worksheet(in_care: SimpleNamespace) -> Any:
    run = in_care.exerciserun
    run.exercise = "thought_record"
    run.walk = {"answers": {"situation": "Canary <b>bus</b>", "of_an_older_catalogue": "More"}}
    run.save()
    return run


def test_run_shows_words_with_their_questions(ben_page: Client, worksheet: Any) -> None:
    shown = ben_page.get(detail_page(worksheet)).content.decode()
    assert "Canary &lt;b&gt;bus&lt;/b&gt;" in shown
    assert "<dt>of_an_older_catalogue</dt><dd>More</dd>" in shown
    assert AuditEvent.objects.get().object_type == "run"


def test_lists_show_no_words_of_a_worksheet(ben_page: Client, worksheet: Any) -> None:
    assert "Canary" not in ben_page.get(list_page("exerciserun")).content.decode()
    assert "before 3, after -" in text_of(ben_page.get(list_page("exerciserun")))
    assert not AuditEvent.objects.exists()
