"""The clinic's record of a crisis: what opens it, what adds to it, who is told in the process, and who handles it."""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from privacy import audit
from privacy.models import AuditEvent
from therapy.access import clinicians
from therapy.crisis import events
from therapy.crisis.assessment import Assessment, Level, Reason
from therapy.crisis.events import (
    EVIDENCE_FIRST,
    EVIDENCE_MAX,
    NoteCrisis,
    crisis_acknowledged,
    crisis_detected,
)
from therapy.database import in_database
from therapy.journal import StaleStateError
from therapy.messages import new_id
from therapy.models import (
    CareAssignment,
    CrisisEvent,
    CrisisNotice,
    Message,
    PlayerProfile,
    ProgressMarker,
    TherapeuticSession,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unthrottled")]

AT = datetime(2026, 11, 22, 3, tzinfo=UTC)
DANGER = "I want to kill myself tonight"
CANARY = "zanzibarmarmalade"


@pytest.fixture
def session(ana):
    PlayerProfile.objects.create(pk=ana.pk)
    return TherapeuticSession.objects.create(player=ana, opened_at=AT, resumed_at=AT)


@pytest.fixture
def note(ana, session):
    """A turn in which danger was seen; the event as it is then."""

    def note(level: Level = Level.HIGH, *types: Any, after: timedelta = timedelta()) -> CrisisEvent:
        found = Assessment(level, types or ("suicidal_ideation",), (Reason("kill_self", 10, 21),))
        with transaction.atomic():
            NoteCrisis(
                ana.pk, session.id, f"msg_{new_id()}", found, ("res_us_988_phone",), AT + after
            ).apply()
        return CrisisEvent.objects.filter(player=ana).latest("opened_at")

    return note


# --- opening and adding ------------------------------------------------------------------------------


def test_first_sign_of_danger_opens_an_event(note, ana, session):
    event = note(Level.HIGH, "self_harm")
    assert (event.player_id, event.session_id, event.status) == (ana.pk, session.id, "open")
    assert (event.level, event.types, event.opened_at) == ("high", ["self_harm"], AT)


def test_evidence_names_turn_reasons_and_help(note):
    (turn,) = note().evidence
    assert turn["message_id"].startswith("msg_")
    assert turn["reasons"] == [{"rule": "kill_self", "start": 10, "end": 21, "weight": 0.0}]
    assert turn["resources"] == ["res_us_988_phone"]


def test_later_turns_add_to_the_unresolved_event(note):
    first = note(Level.HIGH, "self_harm")
    event = note(Level.ELEVATED, "panic_attack", after=timedelta(minutes=5))
    assert event.pk == first.pk
    assert (event.types, len(event.evidence)) == (["self_harm", "panic_attack"], 2)
    assert event.last_seen_at == AT + timedelta(minutes=5)


def test_turn_that_is_stored_late_does_not_turn_the_clock_back(note):
    note(after=timedelta(minutes=5))
    assert note(after=timedelta(minutes=1)).last_seen_at == AT + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("levels", "highest"),
    [
        ((Level.ELEVATED, Level.IMMINENT), "imminent"),
        ((Level.IMMINENT, Level.ELEVATED), "imminent"),
        ((Level.ELEVATED, Level.HIGH, Level.ELEVATED), "high"),
    ],
)
def test_level_rises_and_never_falls(note, levels, highest):
    for level in levels:
        event = note(level)
    assert event.level == highest


def test_acknowledged_event_is_added_to(note, ben):
    event = note()
    events.acknowledge(event.pk, by=ben)
    assert note(after=timedelta(minutes=1)).pk == event.pk
    assert CrisisEvent.objects.get().status == "acknowledged"


def test_danger_after_a_resolved_event_opens_another(note, ben):
    event = note()
    events.resolve(event.pk, by=ben, outcome=CrisisEvent.Outcome.SAFE)
    assert note(after=timedelta(minutes=1)).pk != event.pk
    assert list(CrisisEvent.objects.order_by("opened_at").values_list("status", flat=True)) == [
        "resolved",
        "open",
    ]


def test_database_refuses_a_second_unresolved_event(note, session):
    note()
    with pytest.raises(DatabaseError), transaction.atomic():
        CrisisEvent.objects.create(
            player_id=session.player_id,
            session=session,
            level="high",
            evidence=[],
            opened_at=AT,
            last_seen_at=AT,
        )


def test_evidence_of_a_long_episode_keeps_its_beginning_and_the_latest(note, monkeypatch):
    monkeypatch.setattr(events, "EVIDENCE_MAX", 4)
    monkeypatch.setattr(events, "EVIDENCE_FIRST", 2)
    for minute in range(7):
        event = note(after=timedelta(minutes=minute))
    kept = [datetime.fromisoformat(turn["at"]).minute for turn in event.evidence]
    assert kept == [0, 1, 5, 6]
    assert EVIDENCE_FIRST < EVIDENCE_MAX


def test_opening_and_adding_are_audited(note, ana):
    event = note()
    note()
    rows = AuditEvent.objects.order_by("id").values_list("action", "actor", "player", "object_id")
    assert list(rows) == [
        ("open", "system", str(ana.pk), str(event.pk)),
        ("add", "system", str(ana.pk), str(event.pk)),
    ]


# --- as a turn writes it -----------------------------------------------------------------------------


async def test_turn_and_event_are_stored_together_or_not_at_all(ana, connect, monkeypatch):
    monkeypatch.setattr("therapy.processor.STORE_LATER_SECONDS", (60,))
    monkeypatch.setattr("therapy.crisis.events.audit.record", _failing)
    device = await connect(ana)
    assert (await device.ask(DANGER))["metadata"]["stored"] is False
    assert not await CrisisEvent.objects.aexists()
    assert not await Message.objects.aexists()


def _failing(*args, **kwargs):
    raise DatabaseError("no room")


async def test_event_holds_neither_words_nor_name(ana, connect):
    await (await connect(ana)).ask(f"{DANGER}, {CANARY}")
    event = await CrisisEvent.objects.aget()
    row = str({field.attname: getattr(event, field.attname) for field in event._meta.concrete_fields})
    assert CANARY not in row
    assert "'ana'" not in row


async def test_evidence_is_sealed_in_the_database(ana, connect):
    await (await connect(ana)).ask(DANGER)

    def stored() -> bytes:
        with connection.cursor() as cursor:
            cursor.execute("SELECT evidence FROM therapy_crisisevent")
            return bytes(cursor.fetchone()[0])

    assert b"suicidal" not in await in_database(stored)


async def test_reply_that_is_graver_than_its_words_raises_the_level(ana, connect):
    device = await connect(ana)
    await device.ask("I want to kill myself")
    await device.ask("no")  # to "are you safe right now?"
    event = await CrisisEvent.objects.aget()
    assert (event.level, len(event.evidence)) == ("imminent", 2)


async def test_calm_turns_of_the_conversation_add_no_evidence(ana, connect):
    device = await connect(ana)
    await device.ask(DANGER)
    await device.ask("what should I eat")
    assert len((await CrisisEvent.objects.aget()).evidence) == 1


# --- signals -----------------------------------------------------------------------------------------


class Receiver:
    """Hears a signal; `heard` waits for it."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self._is_told = threading.Event()

    def __call__(self, sender: Any, signal: Any, **told: Any) -> None:
        self.told.append({**told, "stored": Message.objects.count(), "thread": threading.get_ident()})
        self._is_told.set()

    def heard(self) -> dict[str, Any]:
        assert self._is_told.wait(5), "nothing was told"
        self._is_told.clear()
        return self.told[-1]


@pytest.fixture
def connected():
    """Connect receivers until the end of the test."""
    made: list[tuple[Any, Any]] = []

    def connect(signal, receiver):
        signal.connect(receiver, weak=False)
        made.append((signal, receiver))
        return receiver

    yield connect
    for signal, receiver in made:
        signal.disconnect(receiver)


def test_detection_is_told_with_ids_and_level(note, ana, connected):
    receiver = connected(crisis_detected, Receiver())
    event = note(Level.ELEVATED)
    told = receiver.heard()
    assert told.pop("thread") != threading.get_ident()
    assert told == {
        "event_id": event.pk,
        "player_id": ana.pk,
        "level": "elevated",
        "is_new": True,
        "stored": 0,
    }


def test_later_turn_is_told_as_one_of_a_known_event(note, connected):
    receiver = connected(crisis_detected, Receiver())
    note(Level.ELEVATED)
    receiver.heard()
    note(Level.HIGH)
    told = receiver.heard()
    assert (told["is_new"], told["level"]) == (False, "high")


async def test_detection_is_told_after_the_commit(ana, connect, connected):
    receiver = connected(crisis_detected, Receiver())
    await (await connect(ana)).ask(DANGER)
    assert (await in_database(receiver.heard))["stored"] == 2


def test_nothing_is_told_of_what_was_rolled_back(note, connected):
    receiver = connected(crisis_detected, Receiver())
    with transaction.atomic():
        note()
        transaction.set_rollback(True)
    time.sleep(0.1)
    assert receiver.told == []


def test_acknowledging_is_told_with_who_did_it(note, ana, ben, connected):
    receiver = connected(crisis_acknowledged, Receiver())
    event = note()
    events.acknowledge(event.pk, by=ben)
    told = receiver.heard()
    assert (told["event_id"], told["player_id"], told["by"]) == (event.pk, ana.pk, ben.pk)


def test_receiver_that_raises_is_no_matter_to_the_next(note, connected):
    connected(crisis_detected, _failing)
    receiver = connected(crisis_detected, Receiver())
    note()
    assert receiver.heard()


async def test_receiver_that_raises_is_no_matter_to_the_turn(ana, connect, connected):
    connected(crisis_detected, _failing)
    assert (await (await connect(ana)).ask(DANGER))["metadata"]["seq"] == 2


async def test_receivers_that_hang_delay_nobody(ana, cleo, connect, connected, another_process):
    """However many of them hang: they have threads of their own."""
    release = threading.Event()
    connected(crisis_detected, lambda **_: release.wait(10))
    try:
        device = await connect(ana)
        started = time.monotonic()
        for _ in range(8):
            await device.ask(DANGER)
        another_process()
        assert (await (await connect(cleo)).ask("Hello there"))["metadata"]["seq"] == 2
        assert time.monotonic() - started < 5
    finally:
        release.set()


async def test_turn_is_stored_though_nobody_can_be_told_any_more(ana, connect, monkeypatch):
    def submit(*args):
        raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr(events._RECEIVERS, "submit", submit)
    assert (await (await connect(ana)).ask(DANGER))["metadata"]["seq"] == 2
    assert await Message.objects.acount() == 2


# --- handling ----------------------------------------------------------------------------------------


def test_acknowledging_notes_who_and_when_and_is_audited(note, ana, ben):
    event = events.acknowledge(note().pk, by=ben)
    assert (event.status, event.acknowledged_by) == ("acknowledged", str(ben.pk))
    assert event.acknowledged_at is not None
    row = AuditEvent.objects.get(action="acknowledge")
    assert (row.actor, row.player, row.object_id) == (str(ben.pk), str(ana.pk), str(event.pk))


def test_resolving_notes_how_it_ended_and_is_audited(note, ben):
    event = events.resolve(note().pk, by=ben, outcome=CrisisEvent.Outcome.FALSE_ALARM, note=CANARY)
    event.refresh_from_db()
    assert (event.status, event.outcome, event.note) == ("resolved", "false_alarm", CANARY)
    assert AuditEvent.objects.get(action="resolve").actor == str(ben.pk)


def test_note_is_sealed_in_the_database(note, ben):
    events.resolve(note().pk, by=ben, outcome=CrisisEvent.Outcome.SAFE, note=CANARY)
    with connection.cursor() as cursor:
        cursor.execute("SELECT note FROM therapy_crisisevent")
        assert CANARY.encode() not in bytes(cursor.fetchone()[0])


def test_second_clinician_to_acknowledge_is_told_that_they_are_late(note, ben, cleo):
    event = note()
    events.acknowledge(event.pk, by=ben)
    with pytest.raises(StaleStateError):
        events.acknowledge(event.pk, by=cleo)
    assert CrisisEvent.objects.get().acknowledged_by == str(ben.pk)
    assert AuditEvent.objects.filter(action="acknowledge").count() == 1


def test_second_clinician_to_resolve_is_told_that_they_are_late(note, ben, cleo):
    event = note()
    events.resolve(event.pk, by=ben, outcome=CrisisEvent.Outcome.SAFE)
    for act in (events.resolve, events.acknowledge):
        more = {"outcome": CrisisEvent.Outcome.UNREACHED} if act is events.resolve else {}
        with pytest.raises(StaleStateError):
            act(event.pk, by=cleo, **more)
    assert CrisisEvent.objects.get().outcome == "safe"


@pytest.mark.parametrize("act", ["acknowledge", "resolve", "tell_again"])
def test_what_can_not_be_audited_is_not_done(note, ben, settings, monkeypatch, act):
    event = note()
    settings.CRISIS_EMAIL_FROM = "chat@example.org"
    monkeypatch.setattr(audit, "record", _failing)
    more = {"outcome": CrisisEvent.Outcome.SAFE} if act == "resolve" else {}
    with pytest.raises(DatabaseError):
        getattr(events, act)(event.pk, by=ben, **more)
    assert CrisisEvent.objects.get().status == "open"
    assert not CrisisNotice.objects.exists()


# --- the clinician's pages ---------------------------------------------------------------------------


def page_of(user: Any) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


def detail(event: CrisisEvent) -> str:
    return reverse("admin:therapy_crisisevent_change", args=[event.pk])


LIST = "admin:therapy_crisisevent_changelist"


def act(page: Client, event: CrisisEvent, name: str, **fields: str) -> Any:
    """Press a button of the event's page: with its CSRF token, following to where it leads."""
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.get(detail(event)).content.decode())
    assert token is not None
    address = reverse(f"admin:therapy_crisisevent_{name}", args=[event.pk])
    return page.post(address, {"csrfmiddlewaretoken": token[1], **fields}, follow=True)


def said(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.fixture
def clinic(ana, ben, cleo, note) -> SimpleNamespace:
    """Ben looks after ana, who was in danger; cleo is a clinician, but not hers; dora is, beside ben."""
    dora = type(ben).objects.create_user(username="dora", is_staff=True)
    cleo.is_staff = True
    cleo.save()
    for clinician in (ben, cleo, dora):
        clinician.groups.add(clinicians())
    for clinician in (ben, dora):
        CareAssignment.objects.create(clinician=clinician, player=ana)
    return SimpleNamespace(event=note(), ben=page_of(ben), cleo=page_of(cleo), dora=page_of(dora))


def test_clinician_acknowledges_by_a_button(clinic, ben):
    shown = act(clinic.ben, clinic.event, "acknowledge")
    assert shown.redirect_chain[-1][0] == detail(clinic.event)
    assert "Acknowledged." in said(shown)
    assert CrisisEvent.objects.get().acknowledged_by == str(ben.pk)


def test_clinician_resolves_with_an_outcome_and_a_note(clinic, ben):
    shown = act(clinic.ben, clinic.event, "resolve", outcome="false_alarm", note="About a game.")
    assert "Resolved." in said(shown)
    event = CrisisEvent.objects.get()
    assert (event.outcome, event.note, event.resolved_by) == ("false_alarm", "About a game.", str(ben.pk))


def test_resolving_without_an_outcome_shows_what_was_written_again(clinic):
    shown = act(clinic.ben, clinic.event, "resolve", outcome="", note="Called twice.")
    assert "This field is required." in text_of(shown)
    assert "Called twice." in text_of(shown)
    assert CrisisEvent.objects.get().status == "open"


def test_late_acknowledgement_says_who_was_quicker(clinic):
    act(clinic.ben, clinic.event, "acknowledge")
    assert "Somebody was quicker. It was acknowledged by ben," in said(
        act(clinic.dora, clinic.event, "acknowledge")
    )


def test_late_resolution_says_who_was_quicker_and_gives_the_note_back(clinic):
    act(clinic.ben, clinic.event, "resolve", outcome="safe")
    shown = act(clinic.dora, clinic.event, "resolve", outcome="unreached", note="No answer at nine.")
    assert "It was resolved by ben," in said(shown)
    assert "No answer at nine." in text_of(shown)
    assert CrisisEvent.objects.get().outcome == "safe"


def test_clinic_is_told_again_by_a_button(clinic, ben, settings):
    settings.CRISIS_WEBHOOK_URL = "http://127.0.0.1:1/"
    assert "told again" in said(act(clinic.ben, clinic.event, "tell_again"))
    assert CrisisNotice.objects.get().event == clinic.event
    assert AuditEvent.objects.get(action="notify").actor == str(ben.pk)


def test_telling_again_with_nobody_to_tell_says_so(clinic):
    assert "Nothing was sent" in said(act(clinic.ben, clinic.event, "tell_again"))
    assert not AuditEvent.objects.filter(action="notify").exists()


@pytest.mark.parametrize("name", ["acknowledge", "resolve", "tell_again"])
def test_clinician_of_others_may_do_nothing(clinic, cleo, name):
    page = Client()
    page.force_login(cleo)
    address = reverse(f"admin:therapy_crisisevent_{name}", args=[clinic.event.pk])
    assert page.post(address, {"outcome": "safe"}).status_code == 403
    assert CrisisEvent.objects.get().status == "open"


@pytest.mark.parametrize("name", ["acknowledge", "resolve", "tell_again"])
def test_assigned_account_without_the_permission_may_do_nothing(clinic, ben, name):
    ben.groups.clear()
    page = Client()
    page.force_login(ben)
    address = reverse(f"admin:therapy_crisisevent_{name}", args=[clinic.event.pk])
    assert page.post(address, {"outcome": "safe"}).status_code == 403


@pytest.mark.parametrize("name", ["acknowledge", "resolve", "tell_again"])
def test_acts_ask_for_a_post_with_a_token(clinic, name):
    address = reverse(f"admin:therapy_crisisevent_{name}", args=[clinic.event.pk])
    assert clinic.ben.get(address).status_code == 405
    assert clinic.ben.post(address, {"outcome": "safe"}).status_code == 403
    assert CrisisEvent.objects.get().status == "open"


@pytest.mark.parametrize(
    ("status", "offered"),
    [
        ("open", {"acknowledge", "resolve", "tell_again"}),
        ("acknowledged", {"resolve", "tell_again"}),
        ("resolved", {"tell_again"}),
    ],
)
def test_page_offers_what_can_be_done(clinic, status, offered):
    CrisisEvent.objects.update(status=status)
    shown = clinic.ben.get(detail(clinic.event)).content.decode()
    acts = {
        name
        for name in ("acknowledge", "resolve", "tell_again")
        if reverse(f"admin:therapy_crisisevent_{name}", args=[clinic.event.pk]) in shown
    }
    assert acts == offered


def test_pages_of_acts_need_nothing_inline(clinic):
    for shown in (
        clinic.ben.get(detail(clinic.event)),
        act(clinic.ben, clinic.event, "resolve", outcome=""),
    ):
        inline = re.findall(
            r"<style|\sstyle=|\son\w+=|<script(?![^>]*(?:src=|application/json))", shown.content.decode()
        )
        assert inline == []


def test_page_shows_the_notices_and_their_troubles(clinic):
    soon = datetime.now(UTC) + timedelta(minutes=1)
    for problem, sent_at, due_at in [
        ("", soon, soon),
        ("status 500", None, soon),
        ("not reached", None, soon + timedelta(days=400)),
    ]:
        CrisisNotice.objects.create(
            event=clinic.event,
            channel="webhook",
            level="high",
            created_at=AT,
            due_at=due_at,
            attempts=3,
            sent_at=sent_at,
            problem=problem,
        )
    shown = text_of(clinic.ben.get(detail(clinic.event)))
    for part in ("Webhook", "status 500", "not reached", "given up"):
        assert part in shown
    assert shown.count("given up") == 1


def test_notices_can_not_be_changed_there(clinic):
    notice = CrisisNotice.objects.create(
        event=clinic.event, channel="webhook", level="high", created_at=AT, due_at=AT
    )
    shown = clinic.ben.get(detail(clinic.event)).content.decode()
    assert not re.search(r'<(input(?![^>]*hidden)|select|textarea)[^>]*name="notices-', shown)
    assert not admin.site.is_registered(CrisisNotice)
    assert str(notice.pk) in shown


def test_page_asks_as_often_for_many_turns_and_notices_as_for_one(clinic, note):
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert clinic.ben.get(detail(clinic.event)).status_code == 200
        return len(asked)

    notice = {"event": clinic.event, "channel": "email", "level": "high", "created_at": AT, "due_at": AT}
    CrisisNotice.objects.create(**notice)
    clinic.ben.get(detail(clinic.event))
    few = queries()
    for minute in range(1, 20):
        note(after=timedelta(minutes=minute))
        CrisisNotice.objects.create(**notice)
    assert queries() == few


def test_help_shown_is_named_as_the_player_saw_it(clinic):
    assert (
        "988 Suicide &amp; Crisis Lifeline (phone 988)"
        in clinic.ben.get(detail(clinic.event)).content.decode()
    )


def test_long_evidence_says_that_turns_are_left_out(clinic, monkeypatch):
    assert "latest turns are kept" not in text_of(clinic.ben.get(detail(clinic.event)))
    monkeypatch.setattr(events, "EVIDENCE_MAX", 1)
    assert "latest turns are kept" in text_of(clinic.ben.get(detail(clinic.event)))


@pytest.fixture
def ward(clinic, ben) -> list[CrisisEvent]:
    """Five more players of ben's, each with an event of another kind; in the order in which he should see them."""
    made = [clinic.event]
    kinds = [
        ("eve", "open", "imminent", ["self_harm"], 5),
        ("fay", "acknowledged", "high", ["abuse"], 9),
        ("gus", "acknowledged", "elevated", ["panic_attack", "abuse"], 3),
        ("hal", "resolved", "imminent", ["substance_abuse"], 30),
        ("ida", "open", "elevated", ["general_distress"], -60),
    ]
    for name, status, level, types, minutes in kinds:
        player = type(ben).objects.create_user(username=name)
        CareAssignment.objects.create(clinician=ben, player=player)
        session = TherapeuticSession.objects.create(player=player, opened_at=AT, resumed_at=AT)
        at = AT + timedelta(minutes=minutes)
        made.append(
            CrisisEvent.objects.create(
                player=player, session=session, status=status, level=level, types=types, evidence=[],
                opened_at=at, last_seen_at=at,
            )
        )  # fmt: skip
    return made


def names(page: Client, **query: str) -> list[str]:
    return [str(row.player) for row in page.get(reverse(LIST), query).context["cl"].result_list]


def test_list_shows_the_newest_open_ones_first(clinic, ward):
    assert names(clinic.ben) == ["eve", "ana", "ida", "fay", "gus", "hal"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status__exact": "open"}, {"ana", "eve", "ida"}),
        ({"level": "imminent"}, {"eve", "hal"}),
        ({"level": "elevated"}, {"gus", "ida"}),
        ({"level": "nonsense"}, {"ana", "eve", "fay", "gus", "hal", "ida"}),
        ({"type": "abuse"}, {"fay", "gus"}),
        ({"type": "self_harm"}, {"eve"}),
        ({"type": "nonsense"}, {"ana", "eve", "fay", "gus", "hal", "ida"}),
        ({"last_seen_at__gte": "2026-11-22 03:04:00+00:00"}, {"eve", "fay", "hal"}),
        ({"opened_at__gte": "2026-11-23 00:00:00+00:00"}, set()),
    ],
)
def test_list_is_filtered_by_status_level_type_and_date(clinic, ward, query, found):
    assert set(names(clinic.ben, **query)) == found


def test_list_sorts_by_gravity(clinic, ward):
    downwards = f"-{admin.site.get_model_admin(CrisisEvent).list_display.index('gravity')}"
    shown = clinic.ben.get(reverse(LIST), {"o": downwards})
    levels = [row.level for row in shown.context["cl"].result_list]
    assert levels == ["imminent", "imminent", "high", "high", "elevated", "elevated"]


def test_list_shows_danger_that_came_back_after_it_was_acknowledged(clinic, note, ben):
    events.acknowledge(clinic.event.pk, by=ben)
    assert "danger again" not in text_of(clinic.ben.get(reverse(LIST)))
    CrisisEvent.objects.update(last_seen_at=datetime.now(UTC) + timedelta(minutes=1))
    assert "danger again since" in text_of(clinic.ben.get(reverse(LIST)))


def test_names_of_rows_are_neutral(clinic):
    notice = CrisisNotice(event=clinic.event, channel="email", level="imminent", created_at=AT)
    marker = ProgressMarker(marker_type="INSIGHT", achieved_at=AT)
    assert [str(row) for row in (clinic.event, notice, marker)] == [
        "2026-11-22 03:00",
        "email 2026-11-22 03:00",
        "2026-11-22 03:00",
    ]
    assert str(PlayerProfile(pk=7)) == "7"


def test_admin_says_whose_it_is(clinic):
    assert "Therapeutic chat: clinic" in text_of(clinic.ben.get(reverse("admin:index")))
