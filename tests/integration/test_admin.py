import csv
import io
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from privacy import audit
from privacy.models import AuditEvent
from therapy.access import clinicians
from therapy.admin import export
from therapy.admin.export import harmless
from therapy.admin.players import account_fields
from therapy.models import (
    CareAssignment,
    CrisisEvent,
    ExerciseRun,
    Feedback,
    Message,
    PlayerProfile,
    ProgressMarker,
    TherapeuticSession,
)

AT = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
KINDS = ("progressmarker", "exerciserun", "feedback", "crisisevent", "playerprofile", "therapeuticsession")
WITH_WORDS = ("progressmarker", "feedback", "crisisevent")
WORDS = "Canary: I told my brother everything."


def give_rows(player: Any, number: int = 1) -> SimpleNamespace:
    """A player's history: one session with `number` runs, markers and feedbacks, and as many crisis episodes."""
    PlayerProfile.objects.get_or_create(pk=player.pk, defaults={"country": "IE"})
    session = TherapeuticSession(player=player, character_id="mira", world_id="harbour")
    session.opened_at = session.resumed_at = session.closed_at = AT
    session.save()
    for n in range(number):
        at = AT + timedelta(hours=n)
        run = ExerciseRun.objects.create(
            player=player, session=session, exercise="box_breathing", outcome="completed",
            started_at=at, ended_at=at + timedelta(seconds=62), seconds_spent=62, seconds_expected=76,
            steps_seen=2, steps_total=3, mood_before=3,
        )  # fmt: skip
        marker = ProgressMarker.objects.create(
            player=player, session=session, run=run, marker_type="INSIGHT", description=WORDS,
            achieved_at=run.ended_at, therapeutic_value=0.815, earned_by=f"run:{run.pk}",
        )  # fmt: skip
        feedback = Feedback.objects.create(
            player=player, session=session, exercise="grounding", rating=4, text=WORDS, created_at=at
        )
        reasons = [{"rule": "explicit_intent", "start": 0, "end": 9, "weight": 0.0}]
        turn = {"message_id": "m", "at": at.isoformat(), "level": "high", "types": ["self_harm"]}
        crisis = CrisisEvent.objects.create(
            player=player, session=session, status="resolved", level="high", types=["self_harm"],
            evidence=[{**turn, "reasons": reasons, "resources": ["ie_samaritans"]}], opened_at=at, last_seen_at=at,
        )  # fmt: skip
    return SimpleNamespace(
        progressmarker=marker, exerciserun=run, feedback=feedback, crisisevent=crisis,
        playerprofile=player.therapy_profile, therapeuticsession=session,
    )  # fmt: skip


def list_page(kind: str, app: str = "therapy") -> str:
    return reverse(f"admin:{app}_{kind}_changelist")


def detail_page(row: Any) -> str:
    return reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])


def logged_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def person(name: str, **fields: Any) -> Any:
    return get_user_model().objects.create_user(username=name, **fields)


# The people of conftest.py, but in a transaction that is rolled back: most pages need no more, and it is faster.


@pytest.fixture
def ana(db: None) -> Any:
    return person("ana", email="ana@example.org")


@pytest.fixture
def ben(db: None) -> Any:
    return person("ben", is_staff=True)


@pytest.fixture
def cleo(db: None) -> Any:
    return person("cleo", is_staff=True)


@pytest.fixture
def in_care(ana: Any, ben: Any) -> SimpleNamespace:
    """Ben is a clinician and looks after ana, who has a history."""
    ben.groups.add(clinicians())
    CareAssignment.objects.create(clinician=ben, player=ana)
    return give_rows(ana)


@pytest.fixture
def ben_page(ben: Any, in_care: SimpleNamespace) -> Client:
    return logged_in(ben)


@pytest.fixture
def cleo_page(cleo: Any, in_care: SimpleNamespace) -> Client:
    cleo.groups.add(clinicians())
    return logged_in(cleo)


@pytest.fixture
def administrator(in_care: SimpleNamespace) -> Any:
    return person("root", is_staff=True, is_superuser=True)


@pytest.fixture
def root_page(administrator: Any) -> Client:
    return logged_in(administrator)


# --- who sees what -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_clinician_sees_the_rows_of_their_player(
    ben_page: Client, in_care: SimpleNamespace, kind: str
) -> None:
    assert "ana" in text_of(ben_page.get(list_page(kind)))
    assert ben_page.get(detail_page(getattr(in_care, kind))).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outsider", ["cleo_page", "root_page"])
def test_nobody_else_sees_them_superusers_included(
    request: pytest.FixtureRequest, in_care: SimpleNamespace, outsider: str, kind: str
) -> None:
    page = request.getfixturevalue(outsider)
    shown = page.get(list_page(kind))
    assert shown.status_code == 200
    assert shown.context["cl"].result_count == 0
    assert "ana" not in re.findall(r"\w+", text_of(shown))
    assert page.get(detail_page(getattr(in_care, kind))).status_code == 302
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_staff_without_permission_is_refused(in_care: SimpleNamespace, cleo: Any, kind: str) -> None:
    CareAssignment.objects.create(clinician=cleo, player=in_care.progressmarker.player)
    page = logged_in(cleo)
    assert page.get(list_page(kind)).status_code == 403
    assert page.get(detail_page(getattr(in_care, kind))).status_code == 403


@pytest.mark.parametrize(
    ("kind", "act"),
    [
        (kind, act)
        for kind in KINDS
        for act in ("add", "change", "delete")
        if (kind, act) != ("playerprofile", "change")
    ],
)
def test_not_even_a_superuser_in_charge_changes_anything(
    in_care: SimpleNamespace, administrator: Any, root_page: Client, kind: str, act: str
) -> None:
    row = getattr(in_care, kind)
    CareAssignment.objects.create(clinician=administrator, player=row.player)
    arguments = [] if act == "add" else [row.pk]
    assert (
        root_page.post(reverse(f"admin:therapy_{kind}_{act}", args=arguments), {"post": "yes"}).status_code
        == 403
    )
    row.refresh_from_db()


def test_permission_for_one_row_asks_for_care_too(
    in_care: SimpleNamespace, ben: Any, administrator: Any, rf: Any
) -> None:
    pages = admin.site.get_model_admin(ProgressMarker)
    request = rf.get("/")
    request.user = administrator
    assert not pages.has_view_permission(request, in_care.progressmarker)
    request.user = ben
    assert pages.has_view_permission(request, in_care.progressmarker)


def test_asking_for_another_player_by_address_shows_nothing(cleo_page: Client, ana: Any) -> None:
    shown = cleo_page.get(list_page("progressmarker"), {"player__id__exact": ana.pk})
    assert shown.context["cl"].result_count == 0


def test_player_filter_offers_only_own_players(ben_page: Client, cleo: Any, ben: Any) -> None:
    give_rows(cleo)
    dan = person("dan")
    CareAssignment.objects.create(clinician=ben, player=dan)
    (player_filter, *_) = ben_page.get(list_page("progressmarker")).context["cl"].filter_specs
    assert [name for _, name in player_filter.lookup_choices] == ["ana", "dan"]


def test_message_log_is_not_in_the_admin() -> None:
    assert not admin.site.is_registered(Message)


# --- the lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WITH_WORDS)
def test_lists_show_no_words_and_leave_no_audit_event(ben_page: Client, kind: str) -> None:
    shown = text_of(ben_page.get(list_page(kind)))
    assert "Canary" not in shown
    assert "explicit intent" not in shown
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("kind", [*KINDS, "careassignment"])
def test_lists_ask_as_often_for_thirty_rows_as_for_one(
    ben: Any, in_care: SimpleNamespace, administrator: Any, kind: str
) -> None:
    page = logged_in(administrator if kind == "careassignment" else ben)
    few = queries_of(page, list_page(kind))
    for number in range(29):
        player = person(f"player{number}")
        CareAssignment.objects.create(clinician=ben, player=player)
        give_rows(player)
    assert queries_of(page, list_page(kind)) == few
    assert page.get(list_page(kind)).context["cl"].result_count == 30


def test_audit_list_asks_as_often_for_thirty_rows_as_for_one(root_page: Client, ana: Any) -> None:
    audit.record("read", by=ana, player=ana, object_type="marker")
    few = queries_of(root_page, list_page("auditevent", "privacy"))
    for number in range(29):
        actor = person(f"clinician{number}")
        audit.record("read", by=actor, player=ana, object_type="marker")
    assert queries_of(root_page, list_page("auditevent", "privacy")) == few


def queries_of(page: Client, address: str) -> int:
    page.get(address)  # what is cached once per process is not counted
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert page.get(address).status_code == 200
    return len(queries)


def test_marker_list_says_what_was_achieved(ben_page: Client) -> None:
    shown = text_of(ben_page.get(list_page("progressmarker")))
    for part in ("Insight", "Box breathing", "Nov. 3, 2026, 9:31 a.m.", "0.81"):
        assert part in shown


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "ana"}, 1),
        ({"q": "ana@example.org"}, 1),
        ({"q": "box breathing"}, 1),
        ({"q": "nobody"}, 0),
        ({"marker_type__exact": "INSIGHT"}, 1),
        ({"marker_type__exact": "MILESTONE"}, 0),
        ({"achieved_at__year": "2026", "achieved_at__month": "11"}, 1),
        ({"achieved_at__year": "2025"}, 0),
        ({"achieved_at__gte": "2026-11-04 00:00:00+00:00"}, 0),
    ],
)
def test_markers_are_found_by_player_exercise_type_and_date(
    ben_page: Client, query: dict[str, str], found: int
) -> None:
    assert ben_page.get(list_page("progressmarker"), query).context["cl"].result_count == found


def test_marker_is_found_by_its_id(ben_page: Client, in_care: SimpleNamespace) -> None:
    shown = ben_page.get(list_page("progressmarker"), {"q": str(in_care.progressmarker.pk)})
    assert shown.context["cl"].result_count == 1


def test_accounts_without_an_email_are_searched_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_user_model(), "EMAIL_FIELD", "none_of_its_fields")
    assert account_fields("player") == ("player__username",)


def test_asking_for_words_by_address_finds_nothing_out(ben_page: Client) -> None:
    shown = ben_page.get(list_page("progressmarker"), {"description": WORDS})
    assert shown["Location"].endswith("?e=1")


def test_feedback_without_words_is_seen_in_the_list(ben_page: Client, in_care: SimpleNamespace) -> None:
    in_care.feedback.text = None
    in_care.feedback.exercise = ""
    in_care.feedback.save()
    assert "None" not in text_of(ben_page.get(detail_page(in_care.feedback)))
    shown = ben_page.get(list_page("feedback"))
    assert "the conversation" in text_of(shown)
    assert 'alt="False"' in shown.content.decode()


# --- one row -----------------------------------------------------------------------------------------


def test_marker_shows_description_and_evidence(ben_page: Client, in_care: SimpleNamespace) -> None:
    shown = ben_page.get(detail_page(in_care.progressmarker))
    evidence = ("this exercise run", "62 s of 76 s expected", "2 of 3", "before 3, after -", "Completed")
    for part in (WORDS, "9:31 a.m.", *evidence):
        assert part in text_of(shown)
    assert f'href="{detail_page(in_care.exerciserun)}"' in shown.content.decode()


def test_marker_of_a_rule_shows_the_rule(ben_page: Client, in_care: SimpleNamespace) -> None:
    marker = in_care.progressmarker
    marker.run, marker.earned_by = None, "streak:7"
    marker.save()
    shown = text_of(ben_page.get(detail_page(marker)))
    assert "streak:7" in shown
    assert "None" not in shown
    assert ben_page.get(list_page("progressmarker")).status_code == 200


def test_run_that_has_not_ended_says_so(ben_page: Client, in_care: SimpleNamespace) -> None:
    run = in_care.exerciserun
    run.ended_at, run.outcome, run.exercise = None, "", "of_an_older_catalogue"
    run.save()
    shown = text_of(ben_page.get(detail_page(run)))
    assert "not ended, of 76 s expected" in shown
    assert "of_an_older_catalogue" in shown


def test_crisis_shows_its_turns_and_why(ben_page: Client, in_care: SimpleNamespace) -> None:
    shown = text_of(ben_page.get(detail_page(in_care.crisisevent)))
    for part in ("Resolved", "self harm", "explicit intent", "ie_samaritans", "Nov. 3, 2026, 9:30 a.m."):
        assert part in shown
    assert "None" not in shown


def test_crisis_shows_who_looked_after_it(ben_page: Client, in_care: SimpleNamespace, ben: Any) -> None:
    event = in_care.crisisevent
    event.acknowledged_by, event.acknowledged_at = str(ben.pk), AT + timedelta(minutes=3)
    event.resolved_by, event.resolved_at = "987654", AT + timedelta(hours=1)
    event.outcome, event.note = "safe", "Spoke on the phone; her sister is with her."
    event.save()
    shown = text_of(ben_page.get(detail_page(event)))
    for part in (
        "ben, Nov. 3, 2026, 9:33 a.m.",
        "987654, Nov. 3, 2026, 10:30 a.m.",
        "Safe: spoken with",
        event.note,
    ):
        assert part in shown
    assert event.note not in text_of(ben_page.get(list_page("crisisevent")))


def test_profile_leads_to_the_rows_of_its_player(
    ben_page: Client, in_care: SimpleNamespace, ana: Any
) -> None:
    shown = ben_page.get(detail_page(in_care.playerprofile)).content.decode()
    assert f'href="{list_page("progressmarker")}?player__id__exact={ana.pk}"' in shown
    assert ben_page.get(f"{list_page('progressmarker')}?player__id__exact={ana.pk}").status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_pages_lead_to_no_account(ben_page: Client, in_care: SimpleNamespace, kind: str) -> None:
    assert "/auth/user/" not in ben_page.get(detail_page(getattr(in_care, kind))).content.decode()


@pytest.mark.parametrize("address", ["list", "detail"])
@pytest.mark.parametrize("kind", KINDS)
def test_pages_need_nothing_inline(
    ben_page: Client, in_care: SimpleNamespace, kind: str, address: str
) -> None:
    shown = ben_page.get(list_page(kind) if address == "list" else detail_page(getattr(in_care, kind)))
    assert re.search("style-src 'self'(;|$)", shown["Content-Security-Policy"])
    inline = re.findall(
        r"<style|\sstyle=|\son\w+=|<script(?![^>]*(?:src=|application/json))", shown.content.decode()
    )
    assert inline == []


# --- each reading on record --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("progressmarker", "marker"),
        ("feedback", "feedback"),
        ("crisisevent", "crisis"),
        ("exerciserun", "run"),
        ("playerprofile", "profile"),
        ("therapeuticsession", "session"),
    ],
)
def test_reading_a_row_leaves_one_audit_event(
    ben_page: Client, ben: Any, ana: Any, in_care: SimpleNamespace, kind: str, name: str
) -> None:
    row = getattr(in_care, kind)
    ben_page.get(detail_page(row))
    event = AuditEvent.objects.get()
    assert (event.action, event.actor, event.player) == ("read", str(ben.pk), str(ana.pk))
    assert (event.object_type, event.object_id, event.count) == (name, str(row.pk), 1)


def refuse(*_: Any, **__: Any) -> None:
    raise DatabaseError("the audit trail is full")


@pytest.mark.parametrize("kind", WITH_WORDS)
def test_what_can_not_be_audited_is_not_shown(
    ben_page: Client, in_care: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(audit, "record", refuse)
    with pytest.raises(DatabaseError):
        ben_page.get(detail_page(getattr(in_care, kind)))


@pytest.mark.django_db(transaction=True)
def test_audit_event_is_written_in_the_transaction_of_the_reading(
    ben_page: Client, in_care: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_transaction = []
    monkeypatch.setattr(audit, "record", lambda *_, **__: in_transaction.append(connection.in_atomic_block))
    ben_page.get(detail_page(in_care.progressmarker))
    export_all(ben_page)
    assert in_transaction == [True, True]


# --- export ------------------------------------------------------------------------------------------


def selection(**more: Any) -> dict[str, Any]:
    keys = [str(key) for key in ProgressMarker.objects.values_list("pk", flat=True)]
    return {"action": "export_markers", "_selected_action": keys, **more}


def export_all(page: Client, **more: Any) -> Any:
    return page.post(list_page("progressmarker"), selection(**more))


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def test_export_holds_the_selection_with_its_evidence(ben_page: Client, in_care: SimpleNamespace) -> None:
    exported = export_all(ben_page)
    (row,) = rows_of(exported.getvalue())
    assert exported["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="progress-markers-[\d-]{10}\.csv"', exported["Content-Disposition"]
    )
    assert "no-store" in exported["Cache-Control"]
    assert row == {
        "marker_id": str(in_care.progressmarker.pk),
        "player": "ana",
        "marker_type": "INSIGHT",
        "description": WORDS,
        "achieved_at": "2026-11-03T09:31:02+00:00",
        "therapeutic_value": "0.815",
        "earned_by": f"run:{in_care.exerciserun.pk}",
        "exercise": "box_breathing",
        "started_at": "2026-11-03T09:30:00+00:00",
        "ended_at": "2026-11-03T09:31:02+00:00",
        "seconds_spent": "62",
        "seconds_expected": "76",
        "steps_seen": "2",
        "steps_total": "3",
        "mood_before": "3",
        "mood_after": "",
        "outcome": "completed",
    }


def test_export_of_a_marker_without_a_run_leaves_its_cells_empty(ben_page: Client) -> None:
    ProgressMarker.objects.update(run=None)
    (row,) = rows_of(export_all(ben_page).getvalue())
    assert row["exercise"] is None or row["exercise"] == ""


def test_export_is_audited_per_player(ben_page: Client, ben: Any, ana: Any) -> None:
    dan = person("dan")
    CareAssignment.objects.create(clinician=ben, player=dan)
    give_rows(dan, 3)
    assert len(rows_of(export_all(ben_page).getvalue())) == 4
    events = AuditEvent.objects.filter(action="export", actor=str(ben.pk), object_type="marker")
    assert dict(events.values_list("player", "count")) == {str(ana.pk): 1, str(dan.pk): 3}


def test_export_leaves_out_players_of_others(ben_page: Client, cleo: Any) -> None:
    give_rows(cleo)
    assert [row["player"] for row in rows_of(export_all(ben_page).getvalue())] == ["ana"]
    assert not AuditEvent.objects.filter(player=str(cleo.pk)).exists()


def test_export_of_what_is_not_visible_is_empty(cleo_page: Client) -> None:
    assert rows_of(export_all(cleo_page).getvalue()) == []
    assert not AuditEvent.objects.exists()


def test_long_export_is_read_in_parts_as_it_is_fetched(
    ben_page: Client, ana: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "BATCH", 2)
    give_rows(ana, 6)
    parts = iter(export_all(ben_page))
    next(parts)
    assert sum(AuditEvent.objects.values_list("count", flat=True)) == 2
    assert len(b"".join(parts).splitlines()) == 7
    assert sum(AuditEvent.objects.values_list("count", flat=True)) == 7


def test_export_stops_where_the_care_ends(
    ben_page: Client, ana: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "BATCH", 2)
    give_rows(ana, 6)
    parts = iter(export_all(ben_page))
    CareAssignment.objects.all().delete()
    assert len(b"".join(parts).splitlines()) == 3


def test_export_that_can_not_be_audited_is_no_file(ben_page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "record", refuse)
    with pytest.raises(DatabaseError):
        export_all(ben_page)


@pytest.mark.django_db(transaction=True)
async def test_export_over_asgi_streams_without_blocking_the_loop(ben: Any, in_care: SimpleNamespace) -> None:
    client = AsyncClient()
    await client.aforce_login(ben)
    form = {"action": "export_markers", "_selected_action": [str(in_care.progressmarker.pk)]}
    exported: Any = await client.post(list_page("progressmarker"), form)
    content = b"".join([part async for part in exported])
    assert [row["player"] for row in rows_of(content)] == ["ana"]


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "＠A1"]
)
def test_cells_a_spreadsheet_would_run_are_defused(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Completed: box breathing", "0.5", "a=b", "Käse"])
def test_harmless_cells_stay_as_they_are(cell: str) -> None:
    assert harmless(cell) == cell


def test_missing_cells_are_empty() -> None:
    assert harmless(None) == ""


def test_formula_in_a_description_is_defused_in_the_file(ben_page: Client, in_care: SimpleNamespace) -> None:
    in_care.progressmarker.description = '=HYPERLINK("http://evil.example")'
    in_care.progressmarker.save()
    (row,) = rows_of(export_all(ben_page).getvalue())
    assert row["description"] == '\'=HYPERLINK("http://evil.example")'


# --- who looks after whom ----------------------------------------------------------------------------


def test_assigning_is_audited_with_who_did_it(
    root_page: Client, administrator: Any, ana: Any, cleo: Any
) -> None:
    root_page.post(reverse("admin:therapy_careassignment_add"), {"clinician": cleo.pk, "player": ana.pk})
    assert CareAssignment.objects.filter(clinician=cleo, player=ana).exists()
    event = AuditEvent.objects.get()
    assert (event.action, event.actor, event.player) == ("assign", str(administrator.pk), str(ana.pk))
    assert (event.object_type, event.object_id) == ("care", str(cleo.pk))


def test_ending_an_assignment_is_audited(root_page: Client, administrator: Any, ana: Any, ben: Any) -> None:
    assignment = CareAssignment.objects.get()
    root_page.post(reverse("admin:therapy_careassignment_delete", args=[assignment.pk]), {"post": "yes"})
    event = AuditEvent.objects.get()
    assert not CareAssignment.objects.exists()
    assert (event.action, event.actor, event.player) == ("unassign", str(administrator.pk), str(ana.pk))
    assert event.object_id == str(ben.pk)


def test_ending_many_at_once_is_audited_one_by_one(root_page: Client, ana: Any, ben: Any, cleo: Any) -> None:
    CareAssignment.objects.create(clinician=cleo, player=ana)
    keys = list(CareAssignment.objects.values_list("pk", flat=True))
    form = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    root_page.post(list_page("careassignment"), form)
    ended = AuditEvent.objects.filter(action="unassign").values_list("object_id", flat=True)
    assert sorted(ended) == sorted([str(ben.pk), str(cleo.pk)])


@pytest.mark.django_db(transaction=True)
def test_failed_audit_leaves_the_assignments_as_they_were(
    root_page: Client, ana: Any, cleo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "record", refuse)
    keys = list(CareAssignment.objects.values_list("pk", flat=True))
    acts: list[Callable[[], Any]] = [
        lambda: root_page.post(
            reverse("admin:therapy_careassignment_add"), {"clinician": cleo.pk, "player": ana.pk}
        ),
        lambda: root_page.post(reverse("admin:therapy_careassignment_delete", args=keys), {"post": "yes"}),
        lambda: root_page.post(
            list_page("careassignment"),
            {"action": "delete_selected", "_selected_action": keys, "post": "yes"},
        ),
    ]
    for act in acts:
        with pytest.raises(DatabaseError):
            act()
    assert list(CareAssignment.objects.values_list("pk", flat=True)) == keys


@pytest.mark.django_db(transaction=True)
def test_ending_many_at_once_is_all_or_nothing(
    root_page: Client, ana: Any, cleo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    CareAssignment.objects.create(clinician=cleo, player=ana)
    keys = list(CareAssignment.objects.values_list("pk", flat=True))
    monkeypatch.setattr(QuerySet, "delete", refuse)
    form = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    with pytest.raises(DatabaseError):
        root_page.post(list_page("careassignment"), form)
    assert CareAssignment.objects.count() == 2
    assert not AuditEvent.objects.exists()


def test_assignment_is_never_rewritten(root_page: Client) -> None:
    assignment = CareAssignment.objects.get()
    changed = root_page.post(reverse("admin:therapy_careassignment_change", args=[assignment.pk]), {})
    assert changed.status_code == 403


def test_clinician_may_not_assign(ben_page: Client) -> None:
    assert ben_page.get(list_page("careassignment")).status_code == 403
    assert ben_page.get(reverse("admin:therapy_careassignment_add")).status_code == 403


def test_accounts_are_searched_and_not_listed_whole(root_page: Client) -> None:
    shown = root_page.get(reverse("admin:therapy_careassignment_add")).content.decode()
    assert shown.count('class="admin-autocomplete') == 2
    assert "ana" not in re.findall(r"<option[^>]*>(\w+)", shown)


def test_portal_without_a_user_admin_gets_the_lookup_window(
    root_page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(admin.site._registry, get_user_model())
    shown = root_page.get(reverse("admin:therapy_careassignment_add")).content.decode()
    assert re.findall(r'<input type="text" name="(clinician|player)"', shown) == ["clinician", "player"]


# --- the audit trail ---------------------------------------------------------------------------------


@pytest.fixture
def event(root_page: Client, ana: Any, ben: Any) -> AuditEvent:
    audit.record("open", by="system", player=987654, object_type="crisis")
    return audit.record("read", by=ben, player=ana, object_type="marker", object_id="m-1")


def test_audit_trail_names_people(root_page: Client, event: AuditEvent) -> None:
    shown = text_of(root_page.get(list_page("auditevent", "privacy")))
    for part in ("ben", "ana", "system", "987654"):
        assert part in shown
    detail = text_of(root_page.get(detail_page(event)))
    assert "ben" in detail
    assert "ana" in detail


@pytest.mark.parametrize(
    ("term", "found"), [("ben", 1), ("ana", 1), ("system", 1), ("m-1", 1), ("nobody", 0), ("be", 0)]
)
def test_audit_trail_is_searched_by_name_and_id(
    root_page: Client, event: AuditEvent, term: str, found: int
) -> None:
    shown = root_page.get(list_page("auditevent", "privacy"), {"q": term})
    assert shown.context["cl"].result_count == found


def test_audit_event_that_is_not_there_is_no_error(root_page: Client) -> None:
    assert root_page.get(reverse("admin:privacy_auditevent_change", args=[4711])).status_code == 302


@pytest.mark.parametrize("act", ["add", "change", "delete"])
def test_nobody_changes_the_audit_trail(root_page: Client, event: AuditEvent, act: str) -> None:
    arguments = [] if act == "add" else [event.pk]
    address = reverse(f"admin:privacy_auditevent_{act}", args=arguments)
    assert root_page.post(address, {"post": "yes"}).status_code == 403
    assert AuditEvent.objects.filter(pk=event.pk).exists()


def test_clinicians_do_not_see_the_audit_trail(ben_page: Client) -> None:
    assert ben_page.get(list_page("auditevent", "privacy")).status_code == 403


# --- a portal with its own user model ----------------------------------------------------------------

PORTAL_MODELS = """
import uuid
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models

class Member(AbstractBaseUser, PermissionsMixin):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    badge = models.CharField(max_length=40, unique=True)
    is_staff = models.BooleanField(default=False)
    objects = BaseUserManager()
    USERNAME_FIELD = "badge"
"""
PORTAL_SETTINGS = """
from config.settings import *
INSTALLED_APPS = ["portal", *INSTALLED_APPS]
AUTH_USER_MODEL = "portal.Member"
ALLOWED_HOSTS = ["testserver"]
"""
PORTAL_VISIT = """
import django; django.setup()
from django.core.management import call_command
call_command("makemigrations", "portal", verbosity=0)
call_command("migrate", verbosity=0)
call_command("demo", verbosity=0)
from django.contrib.auth import get_user_model
from django.test import Client
from django.test.utils import setup_test_environment
from tests.integration.test_admin import detail_page, give_rows, list_page, KINDS
people = get_user_model().objects
row = give_rows(people.get(badge="ana"))
setup_test_environment()
client = Client()
client.force_login(people.get(badge="ben"))
for kind in KINDS:
    found = client.get(list_page(kind), {"q": "ana"})
    assert found.context["cl"].result_count == 1, kind
    assert client.get(detail_page(getattr(row, kind))).status_code == 200, kind
chosen = {"action": "export_markers", "_selected_action": [str(row.progressmarker.pk)]}
assert b"ana" in client.post(list_page("progressmarker"), chosen).getvalue()
client.force_login(people.get(badge="admin"))
trail = client.get(list_page("auditevent", "privacy"), {"q": "ben"})
assert trail.context["cl"].result_count == 7
assert trail.content.decode().count('field-actor_name">ben<') == 7
assert client.get(list_page("careassignment"), {"q": "ana"}).context["cl"].result_count == 1
"""


def test_admin_works_with_a_portals_own_user_model(tmp_path: Path) -> None:
    package = tmp_path / "portal"
    (package / "migrations").mkdir(parents=True)
    (package / "migrations/__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "models.py").write_text(PORTAL_MODELS)
    (tmp_path / "portal_settings.py").write_text(PORTAL_SETTINGS)
    checkout = Path(__file__).parents[2]
    environment = {
        "PATH": "",
        "DEBUG": "1",
        "DJANGO_SETTINGS_MODULE": "portal_settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'portal.sqlite3'}",
        "PYTHONPATH": f"{tmp_path}:{checkout}",
    }
    visit = subprocess.run(
        [sys.executable, "-c", PORTAL_VISIT], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert visit.returncode == 0, visit.stderr
