from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Permission

from therapy.access import clinicians, may_see, players_in_care, visible_to
from therapy.messages import utc_now
from therapy.models import CareAssignment, TherapeuticSession


@pytest.fixture
def assigned(ana: Any, ben: Any) -> CareAssignment:
    return CareAssignment.objects.create(clinician=ben, player=ana)


@pytest.fixture
def session(ana: Any) -> TherapeuticSession:
    return TherapeuticSession.objects.create(player=ana, opened_at=utc_now(), resumed_at=utc_now())


def visible_sessions(user: Any) -> int:
    return TherapeuticSession.objects.filter(visible_to(user)).count()


def test_clinician_sees_the_player_in_their_care(
    ana: Any, ben: Any, assigned: CareAssignment, session: TherapeuticSession
) -> None:
    assert may_see(ben, ana.pk)
    assert visible_sessions(ben) == 1


def test_outsider_sees_nothing(
    ana: Any, cleo: Any, assigned: CareAssignment, session: TherapeuticSession
) -> None:
    assert not may_see(cleo, ana.pk)
    assert visible_sessions(cleo) == 0


def test_being_superuser_is_no_ground(ana: Any, cleo: Any, session: TherapeuticSession) -> None:
    cleo.is_superuser = cleo.is_staff = True
    cleo.save()
    assert not may_see(cleo, ana.pk)
    assert visible_sessions(cleo) == 0


def test_care_does_not_run_backwards(ana: Any, ben: Any, assigned: CareAssignment) -> None:
    assert not may_see(ana, ben.pk)
    assert not may_see(ben, ben.pk)


def test_end_of_the_assignment_ends_the_sight(ana: Any, ben: Any, assigned: CareAssignment) -> None:
    assigned.delete()
    assert not may_see(ben, ana.pk)


def test_deactivated_clinician_sees_nothing(
    ana: Any, ben: Any, assigned: CareAssignment, session: TherapeuticSession
) -> None:
    ben.is_active = False
    assert not may_see(ben, ana.pk)
    assert visible_sessions(ben) == 0


@pytest.mark.django_db
def test_anonymous_visitor_sees_nothing() -> None:
    assert not may_see(AnonymousUser(), 1)
    assert not players_in_care(AnonymousUser()).exists()


def test_condition_follows_the_path_to_the_player(
    ana: Any, ben: Any, assigned: CareAssignment, session: TherapeuticSession
) -> None:
    assert type(ana).objects.filter(visible_to(ben, "pk")).get() == ana


@pytest.mark.django_db
def test_clinicians_may_view_players_rows_and_change_nothing_but_what_suits_them() -> None:
    permissions = set(clinicians().permissions.values_list("codename", flat=True))
    assert permissions == {
        "change_playerprofile",
        "view_crisisevent",
        "view_exerciserun",
        "view_feedback",
        "view_playerprofile",
        "view_progressmarker",
        "view_therapeuticsession",
    }


@pytest.mark.django_db
def test_permissions_somebody_took_away_stay_away() -> None:
    clinicians().permissions.remove(Permission.objects.get(codename="view_feedback"))
    assert not clinicians().permissions.filter(codename="view_feedback").exists()
