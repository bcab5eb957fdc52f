"""Who may see which player's rows: the clinicians whom a CareAssignment names, and nobody else.

Being a superuser is no ground to read what a player did or wrote: administrators manage users and assignments,
and an assignment leaves an audit event. Everything that shows a player's rows to somebody else asks here.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, Permission
from django.db import transaction
from django.db.models import Q, QuerySet

from therapy.models import CareAssignment

CLINICIANS = "Clinicians"
_VIEWED = ("crisisevent", "exerciserun", "feedback", "playerprofile", "progressmarker", "therapeuticsession")


def players_in_care(user: AbstractBaseUser | AnonymousUser) -> QuerySet[CareAssignment, Any]:
    """Primary keys of the players whom `user` looks after, to be used in a query; none for an inactive user."""
    assignments = CareAssignment.objects.filter(clinician_id=user.pk).values_list("player_id", flat=True)
    return assignments if user.is_active else assignments.none()


def visible_to(user: AbstractBaseUser | AnonymousUser, player: str = "player") -> Q:
    """The condition that keeps the rows `user` may see; `player` is the path from the row to its player."""
    return Q(**{f"{player}__in": players_in_care(user)})


def may_see(user: AbstractBaseUser | AnonymousUser, player_id: Any) -> bool:
    return players_in_care(user).filter(player_id=player_id).exists()


@transaction.atomic
def clinicians() -> Group:
    """The group that opens the admin's pages of players' rows, made with its permissions at the first call.

    A portal calls this from a migration of its own, or gives the same view permissions to a group it has. It is not
    tied to `post_migrate`: that would bring a group back that somebody deleted, and permissions somebody took away.
    """
    group, is_new = Group.objects.get_or_create(name=CLINICIANS)
    if is_new:
        codenames = [*(f"view_{model}" for model in _VIEWED), "change_playerprofile"]
        group.permissions.set(
            Permission.objects.filter(content_type__app_label="therapy", codename__in=codenames)
        )
    return group
