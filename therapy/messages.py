"""What travels into and out of the processor: a player's frame, an answer, and their contents.

No Django here. The wire's outer form (size, errors, acks) is `chat.protocol`'s; these models say
what a well-formed frame means and bound every string and list in it.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

TEXT_MAX = 10_000
FEEDBACK_TEXT_MAX = 2_000

#: Printable, so that an id can stand in a column, a log line and an index of any database.
ClientId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
ContextId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\w.:@+-]+$")]
ElementId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9_]+$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Language = Literal["en", "es"]
Intensity = Literal["low", "medium", "high"]
Approach = Literal[
    "cbt", "dbt", "act", "mindfulness", "somatic", "self_compassion", "behavioural", "narrative"
]
Role = Literal["assistant", "system", "interactive", "user"]

_MODEL = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


def new_id() -> UUID:
    """A UUID version 7 (RFC 9562, section 5.7): random, but rising with time, so that indexes stay compact."""
    stamp = (time.time_ns() // 1_000_000) & 0xFFFF_FFFF_FFFF
    random = int.from_bytes(os.urandom(10), "big")
    value = stamp << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return UUID(int=value)


def utc_now() -> datetime:
    return datetime.now(UTC)


# --- what a player sends ---------------------------------------------------------------------------


class FrameMetadata(BaseModel):
    model_config = _MODEL
    character_id: ContextId | None = None
    world_id: ContextId | None = None


def _nothing_said(metadata: Any) -> Any:
    """Serializers send null for what was left out."""
    return {} if metadata is None else metadata


class IncomingFrame(BaseModel):
    """What every frame of a player may carry beside its type and content."""

    model_config = _MODEL
    id: ClientId | None = None
    session_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    metadata: Annotated[FrameMetadata, BeforeValidator(_nothing_said)] = FrameMetadata()


def _has_words(text: str) -> str:
    if not text.strip():
        raise ValueError("write at least one character")
    return text


class TextContent(BaseModel):
    model_config = _MODEL
    text: Annotated[str, StringConstraints(max_length=TEXT_MAX), AfterValidator(_has_words)]


class UserMessage(IncomingFrame):
    type: Literal["user_message"]
    content: TextContent


class InteractionContent(BaseModel):
    model_config = _MODEL
    action: Literal["button_click", "start_exercise", "complete_exercise"] = "button_click"
    id: ElementId


class Interaction(IncomingFrame):
    type: Literal["interaction"]
    content: InteractionContent


class FeedbackContent(BaseModel):
    model_config = _MODEL
    rating: Annotated[int, Field(ge=1, le=5)] | None = None
    text: (
        Annotated[str, StringConstraints(max_length=FEEDBACK_TEXT_MAX), AfterValidator(_has_words)] | None
    ) = None
    about: ElementId | None = Field(
        None, description="The exercise meant, as `ex_<slug>`; else the latest one."
    )

    @model_validator(mode="after")
    def _says_something(self) -> FeedbackContent:
        if self.rating is None and self.text is None:
            raise ValueError("a rating from 1 to 5 or a text is needed")
        return self


class Feedback(IncomingFrame):
    type: Literal["feedback"]
    content: FeedbackContent


class ContextContent(BaseModel):
    """The ids may stand in the content or, as in other frames, in the metadata."""

    model_config = _MODEL
    character_id: ContextId | None = None
    world_id: ContextId | None = None


class SwitchContext(IncomingFrame):
    type: Literal["switch_context"]
    content: ContextContent = ContextContent()

    @model_validator(mode="after")
    def _names_a_context(self) -> SwitchContext:
        if self.character_id is None and self.world_id is None:
            raise ValueError("a character_id or a world_id is needed")
        return self

    @property
    def character_id(self) -> str | None:
        return self.content.character_id or self.metadata.character_id

    @property
    def world_id(self) -> str | None:
        return self.content.world_id or self.metadata.world_id


class GoalContent(BaseModel):
    """An exercise (its slug), so many times from now on."""

    model_config = _MODEL
    exercise: Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z][a-z_]+$")]
    times: Annotated[int, Field(ge=1, le=50)]


class SettingsContent(BaseModel):
    """Only what is given changes; a `goal` of null is given up.

    `intensity_level` is what older clients call `intensity`.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", populate_by_name=True)
    intensity: Intensity | None = None
    preferred_approaches: Annotated[list[Approach], Field(max_length=8)] | None = None
    country: Country | None = None
    language: Language | None = None
    goal: GoalContent | None = None

    @model_validator(mode="before")
    @classmethod
    def _older_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and "intensity_level" in data and "intensity" not in data:
            return {**data, "intensity": data["intensity_level"]}
        return data

    @model_validator(mode="after")
    def _changes_something(self) -> SettingsContent:
        is_goal_given_up = "goal" in self.model_fields_set
        if not self.model_dump(exclude_none=True) and not is_goal_given_up:
            raise ValueError("give intensity, preferred_approaches, country, language or goal")
        return self


class UpdateSettings(IncomingFrame):
    type: Literal["update_settings"]
    content: SettingsContent


IncomingMessage = UserMessage | Interaction | Feedback | SwitchContext | UpdateSettings


# --- what the server answers -----------------------------------------------------------------------


class Button(BaseModel):
    model_config = _MODEL
    type: Literal["button"] = "button"
    id: str
    label: str


class Resource(BaseModel):
    """One way to reach help. `info` is what a person dials or opens, `link` what a tap does (`tel:`, `sms:`, `https:`)."""

    model_config = _MODEL
    type: Literal["resource"] = "resource"
    id: str
    label: str
    method: Literal["phone", "text", "chat", "website"]
    info: str
    link: str
    hours: str = ""
    emergency: bool = False


class Step(BaseModel):
    model_config = _MODEL
    text: str
    seconds: int = Field(ge=0, description="How long the step lasts; 0 where the player sets the pace.")


class Instruction(BaseModel):
    """A whole exercise. `label` says all of it in one string, for clients that show only labels."""

    model_config = _MODEL
    type: Literal["instruction"] = "instruction"
    id: str
    label: str
    title: str
    steps: list[Step]
    cycles: int = Field(1, ge=1, description="How often the steps are gone through.")
    duration_seconds: int = Field(ge=0)
    cautions: list[str] = []


class Progress(BaseModel):
    model_config = _MODEL
    type: Literal["progress"] = "progress"
    id: str
    label: str
    marker_type: str
    therapeutic_value: float = Field(ge=0, le=1)


class Recommendation(BaseModel):
    """`id` is the exercise's button id, so that a client can offer it at once."""

    model_config = _MODEL
    type: Literal["recommendation"] = "recommendation"
    id: str
    label: str
    reason: str = ""


Element = Annotated[Button | Resource | Instruction | Progress | Recommendation, Field(discriminator="type")]


class Safety(BaseModel):
    model_config = _MODEL
    crisis: bool = False
    types: list[str] = []
    level: str = "none"


class OutgoingContent(BaseModel):
    """Events may carry fields of their own beside these three."""

    model_config = ConfigDict(frozen=True, extra="allow")
    text: str = ""
    elements: list[Element] = []
    event: str | None = None


class OutgoingMetadata(BaseModel):
    """`seq` is set once the message stands in the log; `in_reply_to` is the sender's own `id` where it gave one."""

    model_config = ConfigDict(frozen=True, extra="allow")
    seq: int | None = None
    in_reply_to: str | None = None
    client_id: str | None = None
    recommendations: list[Recommendation] | None = None
    safety: Safety | None = None
    engine: str | None = None


class OutgoingMessage(BaseModel):
    """One frame to a player. Durable ones (whatever the processor returns) get a `metadata.seq` when committed."""

    model_config = ConfigDict(frozen=True)
    id: str = Field(default_factory=lambda: f"msg_{new_id()}")
    role: Role
    session_id: str | None = None
    content: OutgoingContent
    timestamp: datetime = Field(default_factory=utc_now)
    metadata: OutgoingMetadata = OutgoingMetadata()

    @property
    def seq(self) -> int | None:
        return self.metadata.seq

    def placed(self, seq: int) -> OutgoingMessage:
        """This message, in its place in the log: the one thing that changes in it, once, when it is committed."""
        self.metadata.__dict__["seq"] = seq
        return self


def plain(model: BaseModel) -> dict[str, Any]:
    """A model's values but for those that are None, models inside still models: for `orjson.dumps(default=plain)`.

    Every message is written twice, into the log and onto the wire; this costs a third of Pydantic's own way.
    """
    values = {**model.__dict__, **model.__pydantic_extra__} if model.__pydantic_extra__ else model.__dict__
    return {name: value for name, value in values.items() if value is not None}
