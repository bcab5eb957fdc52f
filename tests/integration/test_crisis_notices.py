"""Telling the clinic: a webhook against a real server, e-mail, retries, and that neither holds words or names."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import transaction
from django.urls import NoReverseMatch, reverse

from privacy.models import AuditEvent
from therapy.crisis import events, notices
from therapy.crisis.assessment import Assessment, Level
from therapy.crisis.events import NoteCrisis
from therapy.crisis.notices import BACKOFF_SECONDS, send_due_notices
from therapy.database import in_database, work_tidily
from therapy.messages import new_id, utc_now
from therapy.models import CareAssignment, CrisisEvent, CrisisNotice, PlayerProfile, TherapeuticSession

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unthrottled")]

AT = datetime(2026, 11, 22, 3, tzinfo=UTC)
SECRET = "a secret between the chat and the clinic"
DANGER = "I want to kill myself tonight"
CANARY = "zanzibarmarmalade"


class Clinic(ThreadingHTTPServer):
    """A clinic's server: keeps what it was sent, and answers with `status` after `delay_seconds`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Incoming)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.status, self.location, self.delay_seconds = 204, "", 0.0
        self.url = f"http://127.0.0.1:{self.server_port}/crisis"

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.requests]


class Incoming(BaseHTTPRequestHandler):
    server: Clinic

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        time.sleep(self.server.delay_seconds)
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def clinic(settings, monkeypatch) -> Iterator[Clinic]:
    """A clinic that wants to be told by webhook."""
    monkeypatch.setenv("no_proxy", "*")
    server = Clinic()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.CRISIS_WEBHOOK_URL, settings.CRISIS_WEBHOOK_SECRET = server.url, SECRET
    settings.PUBLIC_URL = "https://chat.example.org"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def session(ana):
    PlayerProfile.objects.create(pk=ana.pk)
    return TherapeuticSession.objects.create(player=ana, opened_at=AT, resumed_at=AT)


@pytest.fixture
def note(ana, session) -> Callable[..., CrisisEvent]:
    """A turn in which danger was seen, just now or some time from now; the event."""

    def note(level: Level = Level.HIGH, after: timedelta = timedelta()) -> CrisisEvent:
        found = Assessment(level, ("suicidal_ideation",))
        with transaction.atomic():
            NoteCrisis(ana.pk, session.id, f"msg_{new_id()}", found, (), notices.utc_now() + after).apply()
        return CrisisEvent.objects.get(player=ana)

    return note


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """The notices' time; it moves when told."""
    clock = Clock()
    monkeypatch.setattr(notices, "utc_now", clock)
    return clock


def the_notice() -> CrisisNotice:
    return CrisisNotice.objects.get()


# --- when the clinic is told -------------------------------------------------------------------------


def test_first_sign_of_danger_is_told(clinic, note):
    event = note(Level.ELEVATED)
    assert send_due_notices() == 1
    (told,) = clinic.told
    assert (told["event_id"], told["level"], told["status"]) == (str(event.pk), "elevated", "open")


def test_higher_level_is_told_again(clinic, note):
    note(Level.ELEVATED)
    note(Level.IMMINENT)
    send_due_notices()
    assert [told["level"] for told in clinic.told] == ["elevated", "imminent"]


def test_further_turn_of_the_same_level_is_not_told(clinic, note):
    for level in (Level.HIGH, Level.HIGH, Level.ELEVATED):
        note(level)
    send_due_notices()
    assert len(clinic.told) == 1


def test_danger_that_comes_back_after_a_quiet_hour_is_told_again(clinic, note):
    note(Level.HIGH, after=-timedelta(minutes=70))
    note(Level.ELEVATED)
    send_due_notices()
    assert [told["level"] for told in clinic.told] == ["high", "high"]


def test_nothing_is_queued_where_nothing_is_set_up(note, settings):
    note()
    assert not CrisisNotice.objects.exists()
    assert send_due_notices() == 0


async def test_crisis_is_stored_where_the_settings_are_missing_altogether(ana, connect, settings):
    for name in ("CRISIS_WEBHOOK_URL", "CRISIS_WEBHOOK_SECRET", "CRISIS_EMAIL_FROM", "CRISIS_EMAIL_TO"):
        delattr(settings, name)
    assert (await (await connect(ana)).ask(DANGER))["metadata"]["seq"] == 2
    assert await CrisisEvent.objects.aexists()


def test_notice_is_written_in_the_transaction_of_its_event(clinic, note):
    with transaction.atomic():
        note()
        assert CrisisNotice.objects.count() == 1
        transaction.set_rollback(True)
    assert not CrisisEvent.objects.exists()
    assert not CrisisNotice.objects.exists()


async def test_serving_process_tells_the_clinic_by_itself(ana, connect, clinic):
    await (await connect(ana)).ask(DANGER)

    def wait() -> None:
        for _ in range(100):
            if clinic.requests and CrisisNotice.objects.exclude(sent_at=None).exists():
                return
            time.sleep(0.05)
        raise AssertionError("the clinic was not told within 5 s")

    await in_database(wait)


# --- the webhook -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def is_genuine() -> Callable[..., bool]:
    """The receiver's check, as the document for clinics prints it."""
    text = (settings.BASE_DIR / "docs/crisis-clinic.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    defined: dict[str, Any] = {}
    exec(code, defined)
    return defined["is_genuine"]


def test_signature_verifies_with_the_secret_and_with_no_other(clinic, note, is_genuine):
    note()
    send_due_notices()
    _, headers, body = clinic.requests[0]
    assert is_genuine(headers, body, SECRET)
    assert not is_genuine(headers, body, "another secret")
    assert not is_genuine(headers, body.replace(b"high", b"none"), SECRET)
    assert not is_genuine({}, body, SECRET)


def test_request_can_not_be_sent_again_as_a_new_one(clinic, note, is_genuine, monkeypatch):
    note()
    send_due_notices()
    _, headers, body = clinic.requests[0]
    now = int(headers["X-Therapeutic-Chat-Timestamp"])
    assert not is_genuine({**headers, "X-Therapeutic-Chat-Timestamp": str(now + 1)}, body, SECRET)
    monkeypatch.setattr(time, "time", lambda: now + 301)
    assert not is_genuine(headers, body, SECRET)


def test_webhook_tells_which_event_how_grave_and_where_to_look(clinic, note, ana):
    event = note()
    send_due_notices()
    path, headers, _ = clinic.requests[0]
    assert (path, headers["Content-Type"]) == ("/crisis", "application/json")
    assert clinic.told[0] == {
        "notice_id": str(the_notice().pk),
        "event_id": str(event.pk),
        "player_id": str(ana.pk),
        "level": "high",
        "types": ["suicidal_ideation"],
        "status": "open",
        "opened_at": event.opened_at.isoformat(),
        "url": f"https://chat.example.org{reverse('admin:therapy_crisisevent_change', args=[event.pk])}",
    }


def test_portal_without_an_admin_site_is_told_without_a_link(clinic, note, monkeypatch):
    def no_admin(*args, **kwargs):
        raise NoReverseMatch

    monkeypatch.setattr(notices, "reverse", no_admin)
    note()
    assert send_due_notices() == 1
    assert clinic.told[0]["url"] == ""


def test_what_arrived_is_noted_and_not_sent_again(clinic, note):
    note()
    send_due_notices()
    assert send_due_notices() == 0
    notice = the_notice()
    assert (notice.attempts, notice.problem) == (1, "")
    assert notice.sent_at is not None
    assert len(clinic.requests) == 1


async def test_neither_words_nor_name_are_told(ana, ben, connect, clinic, settings):
    settings.CRISIS_EMAIL_FROM, settings.CRISIS_EMAIL_TO = "chat@example.org", ["duty@example.org"]
    ana.username, ana.first_name, ana.email = f"{CANARY}1", f"{CANARY}2", f"{CANARY}@example.org"
    await ana.asave()
    await (await connect(ana)).ask(f"{DANGER}, {CANARY}")
    await in_database(send_due_notices)
    (_, headers, body), (message,) = clinic.requests[0], mail.outbox
    assert CANARY not in f"{headers}{body!r}"
    assert CANARY not in message.message().as_string()
    assert "kill" not in f"{body!r}{message.message().as_string()}"


# --- what goes wrong, and again ----------------------------------------------------------------------


def refused(clinic: Clinic, settings: Any) -> None:
    settings.CRISIS_WEBHOOK_URL = "http://127.0.0.1:1/"


def failing(clinic: Clinic, settings: Any) -> None:
    clinic.status = 500


def late(clinic: Clinic, settings: Any) -> None:
    clinic.delay_seconds = 2.0


def redirecting(clinic: Clinic, settings: Any) -> None:
    clinic.status, clinic.location = 307, "/elsewhere"


def moved(clinic: Clinic, settings: Any) -> None:
    clinic.status, clinic.location = 302, "/elsewhere"


def misspelt(clinic: Clinic, settings: Any) -> None:
    settings.CRISIS_WEBHOOK_URL = "clinic.example.org/crisis"


def unset(clinic: Clinic, settings: Any) -> None:
    settings.CRISIS_WEBHOOK_URL = ""


@pytest.mark.parametrize(
    ("trouble", "problem"),
    [
        (refused, "not reached"),
        (failing, "status 500"),
        (late, "not reached"),
        (redirecting, "status 307"),
        (moved, "status 302"),
        (misspelt, "ValueError"),
        (unset, "no address"),
    ],
)
def test_what_did_not_arrive_is_tried_again_later(
    clinic, note, settings, clock, monkeypatch, trouble, problem
):
    if trouble is late:
        monkeypatch.setattr(notices, "TIMEOUT_SECONDS", 1)
    note()
    trouble(clinic, settings)
    assert send_due_notices() == 0
    assert (the_notice().problem, the_notice().attempts) == (problem, 1)
    assert [path for path, _, _ in clinic.requests if path == "/elsewhere"] == []
    assert send_due_notices() == 0  # not yet
    assert the_notice().attempts == 1
    settings.CRISIS_WEBHOOK_URL = clinic.url
    clinic.status, clinic.location, clinic.delay_seconds = 204, "", 0
    clock.advance(seconds=BACKOFF_SECONDS[0] + 5)
    assert send_due_notices() == 1
    assert (the_notice().problem, the_notice().attempts) == ("", 2)


def test_attempts_become_rarer(clinic, note, clock):
    note()
    clinic.status = 503
    waits = []
    for _ in range(7):
        send_due_notices()
        waits.append((the_notice().due_at - clock.now).total_seconds() - notices.TIMEOUT_SECONDS)
        clock.now = the_notice().due_at
    assert waits == [5, 15, 60, 300, 900, 900, 900]


def test_notice_is_given_up_after_a_day(clinic, note, clock):
    note()
    clinic.status = 503
    clock.advance(hours=23)
    send_due_notices()
    clock.advance(minutes=20)
    assert not CrisisNotice.objects.filter(notices.given_up(clock.now)).exists()
    clock.advance(hours=1)
    send_due_notices()
    assert len(clinic.requests) == 2
    assert CrisisNotice.objects.filter(notices.given_up(clock.now)).exists()
    clock.advance(days=365)
    assert send_due_notices() == 0
    assert len(clinic.requests) == 2


def test_last_attempt_of_a_day_old_notice_counts(clinic, note, clock):
    note()
    clock.advance(hours=25)
    assert send_due_notices() == 1


def test_notice_that_can_not_be_sent_holds_up_no_other(clinic, note, settings, monkeypatch):
    settings.CRISIS_EMAIL_FROM = "chat@example.org"
    settings.CRISIS_EMAIL_TO = ["duty@example.org"]

    def broken(*args, **kwargs):
        raise LookupError(CANARY)

    monkeypatch.setattr(notices, "payload", broken)
    note()
    assert send_due_notices() == 1
    assert len(mail.outbox) == 1
    assert CrisisNotice.objects.get(channel="webhook").problem == "LookupError"


def test_new_notice_goes_before_those_that_failed(clinic, note, clock):
    clinic.status = 503
    note(Level.ELEVATED)
    send_due_notices()
    clock.advance(minutes=5)
    note(Level.IMMINENT)
    CrisisNotice.objects.filter(level="imminent").update(due_at=clock.now)
    clinic.requests.clear()
    send_due_notices()
    assert [told["level"] for told in clinic.told] == ["imminent", "elevated"]


def test_no_attempt_begins_when_the_time_of_one_go_is_over(clinic, note, monkeypatch):
    monkeypatch.setattr(notices, "_AT_ONCE_SECONDS", 0.3)
    note(Level.ELEVATED)
    note(Level.HIGH)
    clinic.delay_seconds = 0.4
    assert send_due_notices() == 1
    assert send_due_notices() == 1


def test_two_workers_at_the_same_moment_deliver_once(clinic, note):
    note()
    clinic.delay_seconds = 0.3
    together = threading.Barrier(2)

    def work() -> int:
        together.wait(5)
        return work_tidily(send_due_notices)

    with ThreadPoolExecutor(2) as workers:
        sent = [future.result() for future in [workers.submit(work), workers.submit(work)]]
    assert sorted(sent) == [0, 1]
    assert len(clinic.requests) == 1


def test_worker_that_dies_while_sending_leaves_it_to_another(clinic, note, clock, monkeypatch):
    note()
    with monkeypatch.context() as patched:
        patched.setattr(notices, "_SENDERS", {"webhook": _die})
        with pytest.raises(SystemExit):
            send_due_notices()
    clock.advance(seconds=BACKOFF_SECONDS[0] + notices.TIMEOUT_SECONDS)
    assert send_due_notices() == 1


def _die(notice: CrisisNotice) -> None:
    raise SystemExit


def test_no_transaction_is_open_while_it_is_sent(clinic, note, monkeypatch):
    from django.db import connection

    seen = []
    monkeypatch.setattr(
        notices, "_SENDERS", {"webhook": lambda notice: seen.append(connection.in_atomic_block)}
    )
    note()
    send_due_notices()
    assert seen == [False]


# --- telling again -----------------------------------------------------------------------------------


def test_event_is_told_again_on_request_under_another_notice_id(clinic, note, ben):
    event = note()
    send_due_notices()
    assert events.tell_again(event.pk, by=ben) == 1
    assert send_due_notices() == 1
    first, second = clinic.told
    assert first["event_id"] == second["event_id"]
    assert first["notice_id"] != second["notice_id"]
    assert AuditEvent.objects.get(action="notify").actor == str(ben.pk)


def resend(**options: Any) -> str:
    out = StringIO()
    call_command("resend_notices", stdout=out, **options)
    return out.getvalue()


def test_command_tells_again_what_was_given_up(clinic, note, clock):
    note()
    clinic.status = 503
    clock.advance(hours=25)
    send_due_notices()
    clinic.status = 204
    clinic.requests.clear()
    CrisisNotice.objects.update(due_at=utc_now() + timedelta(days=400))
    assert resend() == "1 crisis event(s), 1 notice(s) queued.\n"
    assert send_due_notices() == 1
    assert AuditEvent.objects.get(action="notify").actor == "system"


def test_command_tells_what_nobody_was_told_of_before_notices_were_set_up(note, settings):
    note()
    settings.CRISIS_WEBHOOK_URL = "http://127.0.0.1:1/"
    assert resend() == "1 crisis event(s), 1 notice(s) queued.\n"


def test_command_leaves_alone_what_has_arrived_is_being_tried_or_is_resolved(clinic, note, ben):
    event = note()
    assert resend().startswith("0 ")
    send_due_notices()
    assert resend().startswith("0 ")
    CrisisNotice.objects.all().delete()
    events.resolve(event.pk, by=ben, outcome=CrisisEvent.Outcome.SAFE)
    assert resend().startswith("0 ")


def test_command_tells_one_event_again_whatever_became_of_it(clinic, note):
    event = note()
    send_due_notices()
    assert resend(event=event.pk).startswith("1 ")


def test_command_says_what_is_missing(note):
    event = note()
    with pytest.raises(CommandError, match="CRISIS_WEBHOOK_URL"):
        resend()
    with pytest.raises(CommandError, match="There is no crisis event"):
        resend(event=new_id())
    assert str(event.pk)


# --- e-mail ------------------------------------------------------------------------------------------


@pytest.fixture
def by_mail(settings) -> None:
    settings.CRISIS_EMAIL_FROM = "chat@example.org"
    settings.PUBLIC_URL = "https://chat.example.org"


@pytest.fixture
def in_charge(ana, ben):
    ben.email = "ben@example.org"
    ben.save()
    return CareAssignment.objects.create(clinician=ben, player=ana)


@pytest.mark.usefixtures("by_mail", "in_charge")
def test_mail_goes_to_the_clinicians_in_charge_and_to_the_clinic(note, cleo, settings):
    settings.CRISIS_EMAIL_TO = ["duty@example.org"]
    cleo.email = "cleo@example.org"
    cleo.save()
    event = note()
    assert send_due_notices() == 1
    (message,) = mail.outbox
    assert (message.from_email, message.to) == ("chat@example.org", ["ben@example.org", "duty@example.org"])
    assert message.subject == "Crisis event, level high"
    assert f"https://chat.example.org{reverse('admin:therapy_crisisevent_change', args=[event.pk])}" in str(
        message.body
    )


@pytest.mark.usefixtures("by_mail")
def test_clinician_who_has_left_gets_none(note, in_charge, settings):
    settings.CRISIS_EMAIL_TO = ["duty@example.org"]
    in_charge.clinician.is_active = False
    in_charge.clinician.save()
    note()
    send_due_notices()
    assert mail.outbox[0].to == ["duty@example.org"]


@pytest.mark.usefixtures("by_mail")
def test_mail_with_nobody_to_read_it_waits_for_somebody(note, ana, ben, clock):
    note()
    assert send_due_notices() == 0
    assert the_notice().problem == "no address"
    ben.email = "ben@example.org"
    ben.save()
    CareAssignment.objects.create(clinician=ben, player=ana)
    clock.advance(minutes=1)
    assert send_due_notices() == 1


@pytest.mark.usefixtures("by_mail", "in_charge")
def test_mail_server_that_refuses_is_tried_again(note, clock, settings):
    note()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert send_due_notices() == 0
    assert the_notice().problem == "ConnectionRefusedError"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    clock.advance(minutes=1)
    assert send_due_notices() == 1


@pytest.mark.usefixtures("by_mail", "in_charge")
def test_mail_server_that_hangs_is_not_waited_for(note, settings, monkeypatch):
    import socket

    monkeypatch.setattr(notices, "TIMEOUT_SECONDS", 0.2)
    note()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = silent.getsockname()[:2]
        started = time.monotonic()
        assert send_due_notices() == 0
    assert time.monotonic() - started < 3


@pytest.mark.usefixtures("by_mail", "in_charge")
def test_webhook_and_mail_are_told_independently(clinic, note):
    clinic.status = 500
    note()
    assert send_due_notices() == 1
    assert dict(CrisisNotice.objects.values_list("channel", "problem")) == {
        "webhook": "status 500",
        "email": "",
    }
