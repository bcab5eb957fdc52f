import base64
import json
import os
from collections.abc import Callable
from copy import copy
from typing import Any
from uuid import uuid4

import pytest
from django.core import serializers
from django.core.exceptions import FieldError
from django.db import connection

from privacy.encryption import EncryptionError
from privacy.fields import Sealed
from therapy.messages import utc_now
from therapy.models import CrisisEvent, Feedback, PlayerProfile, TherapeuticSession

WORDS = "My sister called — and I picked up. ☎"


@pytest.fixture
def feedback(ana: Any) -> Callable[..., Feedback]:
    session = TherapeuticSession.objects.create(player=ana, opened_at=utc_now(), resumed_at=utc_now())

    def new(**fields: Any) -> Feedback:
        return Feedback(player=ana, session=session, created_at=utc_now(), **{"text": WORDS, **fields})

    return new


@pytest.fixture
def stored(feedback: Callable[..., Feedback]) -> Feedback:
    row = feedback()
    row.save()
    return row


def raw(row: Feedback) -> bytes:
    with connection.cursor() as cursor:
        key = Feedback._meta.pk.get_db_prep_value(row.pk, connection)
        cursor.execute("SELECT text FROM therapy_feedback WHERE id = %s", [key])
        return bytes(cursor.fetchone()[0])


def test_text_comes_back_as_it_was_written(stored: Feedback) -> None:
    assert Feedback.objects.get(pk=stored.pk).text == WORDS


def test_database_holds_no_plaintext(stored: Feedback) -> None:
    assert raw(stored)[:1] == b"\x01"
    assert b"sister" not in raw(stored)


def test_row_still_reads_after_it_was_saved(stored: Feedback) -> None:
    assert stored.text == WORDS


def test_lists_and_objects_are_kept_as_they_are(ana: Any, stored: Feedback) -> None:
    evidence = [{"level": "high", "reasons": [{"rule": "plan", "start": 3}]}, None, 1.5]
    event = CrisisEvent(player=ana, session=stored.session, level="high", evidence=evidence)
    event.opened_at = event.last_seen_at = utc_now()
    event.save()
    assert CrisisEvent.objects.get().evidence == evidence


def test_value_is_opened_at_its_first_read_only(stored: Feedback, settings: Any) -> None:
    row = Feedback.objects.get(pk=stored.pk)
    assert isinstance(row.__dict__["text"], Sealed)
    assert row.text == WORDS
    settings.FIELD_ENCRYPTION_KEYS = []
    assert row.text == WORDS


def test_deferred_value_is_loaded_and_opened_when_it_is_read(stored: Feedback) -> None:
    row = Feedback.objects.defer("text").get(pk=stored.pk)
    assert row.get_deferred_fields() == {"text"}
    assert row.text == WORDS


def test_row_saved_without_its_deferred_value_keeps_it(stored: Feedback) -> None:
    row = Feedback.objects.defer("text").get(pk=stored.pk)
    row.rating = 5
    row.save()
    assert Feedback.objects.get(pk=stored.pk).text == WORDS


def test_unread_value_is_saved_back_unchanged(stored: Feedback) -> None:
    before = raw(stored)
    Feedback.objects.get(pk=stored.pk).save()
    assert raw(stored) == before


def test_changed_value_is_sealed_anew(stored: Feedback) -> None:
    stored.text = "Something else."
    stored.save()
    assert Feedback.objects.get(pk=stored.pk).text == "Something else."


def test_refreshed_row_reads_what_another_wrote(stored: Feedback) -> None:
    other = Feedback.objects.get(pk=stored.pk)
    other.text = "Later."
    other.save()
    stored.refresh_from_db()
    assert stored.text == "Later."


def test_null_stays_null(feedback: Callable[..., Feedback]) -> None:
    row = feedback(text=None)
    row.save()
    assert Feedback.objects.get(pk=row.pk).text is None
    assert Feedback.objects.filter(text__isnull=True).exists()


def test_many_rows_at_once_are_sealed_each_for_itself(feedback: Callable[..., Feedback]) -> None:
    Feedback.objects.bulk_create([feedback(text=f"thought {n}") for n in range(3)])
    rows = list(Feedback.objects.all())
    assert {row.text for row in rows} == {"thought 0", "thought 1", "thought 2"}
    assert not any(b"thought" in raw(row) for row in rows)


def test_update_by_query_is_refused(stored: Feedback) -> None:
    with pytest.raises(TypeError, match="sealed per row"):
        Feedback.objects.update(text="for everybody")
    assert Feedback.objects.get(pk=stored.pk).text == WORDS


@pytest.mark.parametrize("lookup", ["text", "text__contains", "text__gt"])
def test_sealed_field_can_not_be_searched(stored: Feedback, lookup: str) -> None:
    with pytest.raises(FieldError):
        Feedback.objects.filter(**{lookup: WORDS})


def test_value_moved_to_another_row_does_not_open(
    feedback: Callable[..., Feedback], stored: Feedback
) -> None:
    other = feedback(text="mine")
    other.save()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE therapy_feedback SET text = %s", [raw(stored)])
    with pytest.raises(EncryptionError, match="another row"):
        _ = Feedback.objects.get(pk=other.pk).text


def test_row_copied_unread_is_refused_while_the_original_is_at_hand(stored: Feedback) -> None:
    row = copy(Feedback.objects.get(pk=stored.pk))
    row.pk, row._state.adding = uuid4(), True
    with pytest.raises(EncryptionError):
        row.save()


def test_unread_row_may_be_written_again_under_its_own_key(stored: Feedback) -> None:
    row = Feedback.objects.get(pk=stored.pk)
    Feedback.objects.all().delete()
    row.save(force_insert=True)
    assert Feedback.objects.get(pk=stored.pk).text == WORDS


def test_key_given_as_text_seals_for_the_row_it_names(feedback: Callable[..., Feedback]) -> None:
    key = uuid4()
    feedback(pk=key.hex.upper()).save()
    assert Feedback.objects.get(pk=key).text == WORDS


def test_row_without_a_key_can_not_be_sealed() -> None:
    with pytest.raises(TypeError, match="set the primary key"):
        Feedback._meta.get_field("text").pre_save(Feedback(pk=None, text=WORDS), True)


def test_new_key_in_front_opens_what_the_old_one_sealed(stored: Feedback, settings: Any) -> None:
    new = base64.urlsafe_b64encode(os.urandom(32)).decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]
    row = Feedback.objects.get(pk=stored.pk)
    row.text = row.text + "!"
    row.save()
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert Feedback.objects.get(pk=stored.pk).text == WORDS + "!"


def test_wrong_key_is_an_error_and_never_ciphertext(stored: Feedback, settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [base64.urlsafe_b64encode(os.urandom(32)).decode()]
    with pytest.raises(EncryptionError):
        _ = Feedback.objects.get(pk=stored.pk).text


def test_profile_keyed_by_its_player_opens(ana: Any) -> None:
    PlayerProfile(pk=str(ana.pk), crisis_episode={"turns": 2}).save()
    assert PlayerProfile.objects.get(player=ana).crisis_episode == {"turns": 2}


def test_dump_holds_no_plaintext(stored: Feedback) -> None:
    dump = serializers.serialize("json", Feedback.objects.all())
    text = json.loads(dump)[0]["fields"]["text"]
    assert Feedback._meta.get_field("text").unseal(base64.b64decode(text), stored.pk) == WORDS  # type: ignore[union-attr]


def test_dump_is_refused_rather_than_loaded_as_it_is(stored: Feedback) -> None:
    dump = serializers.serialize("json", Feedback.objects.all())
    with pytest.raises(TypeError, match="sealed per row"):
        next(iter(serializers.deserialize("json", dump))).save()


def test_validation_leaves_the_words_alone(stored: Feedback) -> None:
    stored.full_clean(exclude=["rating"])
    assert stored.text == WORDS


def test_class_attribute_is_there_for_tools() -> None:
    assert Feedback.text is not None
