from __future__ import annotations

import time

import pytest
from pydantic import TypeAdapter, ValidationError

from therapy.messages import (
    Element,
    Feedback,
    FeedbackContent,
    OutgoingContent,
    OutgoingMessage,
    Progress,
    Safety,
    SettingsContent,
    Step,
    SwitchContext,
    UserMessage,
    new_id,
)


def test_new_id_is_a_uuid_version_7():
    found = new_id()
    assert (found.version, found.variant) == (7, "specified in RFC 4122")


def test_new_ids_rise_with_time():
    earlier = new_id()
    time.sleep(0.002)
    assert earlier < new_id()


def test_new_ids_hold_the_time_in_milliseconds():
    assert abs((new_id().int >> 80) - time.time() * 1000) < 1000


def test_new_ids_of_one_moment_differ():
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_frames_can_not_be_changed():
    frame = UserMessage.model_validate({"type": "user_message", "content": {"text": "hello"}})
    with pytest.raises(ValidationError):
        frame.content.text = "goodbye"


def test_switch_reads_ids_from_content_or_metadata():
    frame = {
        "type": "switch_context",
        "content": {"character_id": "mira"},
        "metadata": {"world_id": "harbour"},
    }
    switch = SwitchContext.model_validate(frame)
    assert (switch.character_id, switch.world_id) == ("mira", "harbour")


def test_content_wins_over_metadata_when_switching():
    frame = {
        "type": "switch_context",
        "content": {"character_id": "mira"},
        "metadata": {"character_id": "tom"},
    }
    assert SwitchContext.model_validate(frame).character_id == "mira"


@pytest.mark.parametrize("context", ["mira", "World.of:light@2+x-y_z", "ñandú", "世界", "x" * 64])
def test_context_ids_of_many_kinds_are_taken(context):
    frame = {"type": "switch_context", "content": {"world_id": context}}
    assert SwitchContext.model_validate(frame).world_id == context


def test_older_clients_name_of_intensity_is_understood():
    assert SettingsContent.model_validate({"intensity_level": "high"}).intensity == "high"


def test_intensity_wins_over_its_older_name():
    given = {"intensity": "low", "intensity_level": "high"}
    assert SettingsContent.model_validate(given).intensity == "low"


@pytest.mark.parametrize("rating", [1, 2, 3, 4, 5])
def test_ratings_from_1_to_5_are_taken(rating):
    assert FeedbackContent(rating=rating).rating == rating


def test_feedback_may_be_rating_and_text():
    frame = {"type": "feedback", "content": {"rating": 4, "text": "It helped."}}
    assert Feedback.model_validate(frame).content.text == "It helped."


def test_messages_have_ids_of_their_own():
    first, second = (OutgoingMessage(role="assistant", content=OutgoingContent()) for _ in range(2))
    assert first.id != second.id


def test_events_carry_fields_of_their_own():
    assert OutgoingContent(event="typing", status="start").model_dump()["status"] == "start"


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_progress_is_worth_between_0_and_1(value):
    with pytest.raises(ValidationError):
        Progress(id="p", label="l", marker_type="MILESTONE", therapeutic_value=value)


def test_steps_last_no_negative_time():
    with pytest.raises(ValidationError):
        Step(text="Breathe.", seconds=-1)


@pytest.mark.parametrize("kind", ["button", "resource", "instruction", "progress", "recommendation"])
def test_element_types_are_told_apart_by_type(kind):
    assert kind in TypeAdapter(Element).json_schema()["discriminator"]["mapping"]


def test_safety_is_calm_unless_told():
    assert Safety().model_dump() == {"crisis": False, "types": [], "level": "none"}
