"""What is said when there is danger, and in the turns that follow, until there are signs of safety.

Deterministic: the same turns give the same words. Nothing is read after the import, and nothing can
fail: where every paragraph of a kind has been said, another kind takes over. How answers are chosen:
docs/crisis-answers.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from therapy.crisis.assessment import Assessment, CrisisType, Level
from therapy.crisis.episode import Episode
from therapy.crisis.helplines import Helpline
from therapy.crisis.paragraphs import Question, Voice
from therapy.crisis.safety_signs import Heeded, heed
from therapy.messages import Language

__all__ = ["CrisisAnswer", "Episode", "answer", "follow_up", "heaviest"]

#: Danger to life first: the type whose words are chosen where several were found.
_GRAVEST: tuple[CrisisType, ...] = (
    "suicidal_ideation",
    "self_harm",
    "abuse",
    "substance_abuse",
    "trauma_response",
    "severe_depression",
    "panic_attack",
    "general_distress",
)
_WITH_MEANS = frozenset({"suicidal_ideation", "self_harm", "severe_depression", "substance_abuse"})
#: What is asked, one at a time, at each level. `who` comes in where nobody is there.
_QUESTIONS: dict[Level, tuple[Question, ...]] = {
    Level.CHECK_IN: (),
    Level.ELEVATED: ("safe", "company", "human"),
    Level.HIGH: ("safe", "company", "means", "human"),
    Level.IMMINENT: ("call", "company", "means", "safe"),
}
#: Short, with neither held breath nor exertion; the 4-7-8 breathing of other moments holds the breath.
_EXERCISES: dict[CrisisType, tuple[str, ...]] = {
    "suicidal_ideation": ("grounding", "self_compassion_break"),
    "self_harm": ("grounding", "self_compassion_break"),
    "panic_attack": ("grounding", "resonance_breathing"),
    "severe_depression": ("grounding", "self_compassion_break"),
    "trauma_response": ("grounding",),
    "substance_abuse": ("grounding",),
    "abuse": ("grounding",),
    "general_distress": ("grounding", "resonance_breathing"),
}
_CALM_TURNS = 3
_MOST_SAID = 200


@dataclass(frozen=True, slots=True)
class CrisisAnswer:
    """`is_over`: the normal conversation goes on with the next turn. `episode.level` may be higher than the assessment."""

    text: str
    episode: Episode
    shows_resources: bool = True
    exercises: tuple[str, ...] = ()
    is_over: bool = False


def heaviest(types: Sequence[CrisisType]) -> CrisisType:
    return next((kind for kind in _GRAVEST if kind in types), "general_distress")


# --- the two ways in ---------------------------------------------------------------------------------


def answer(
    assessment: Assessment,
    *,
    language: Language,
    episode: Episode | None = None,
    lines: Sequence[Helpline] = (),
) -> CrisisAnswer:
    """The answer to a message in which danger, or a low mood, was found. `lines` lets the words name a number too."""
    if episode is None or episode.is_over:
        episode = Episode(level=Level.NONE, said=episode.said if episode else ())
    level = max(assessment.level, Level.CHECK_IN)
    kind = heaviest(assessment.types or (episode.kind,))
    voice = Voice(language, lines, episode.said)
    if level > episode.level and not voice.has_opened(kind, level):
        return _opened(episode, kind, level, voice)
    if level == Level.CHECK_IN and episode.level == Level.CHECK_IN:
        return _answered(voice.say("reply.heard"), replace(episode, asked=""), voice, shows_resources=False)
    gravest = heaviest((kind, episode.kind)) if episode.turns else kind
    return _said_again(replace(episode, level=int(max(level, episode.level)), kind=gravest), voice)


def follow_up(
    assessment: Assessment,
    text: str,
    episode: Episode,
    *,
    language: Language,
    lines: Sequence[Helpline] = (),
) -> CrisisAnswer | None:
    """The next turn of an episode, whether its message is calm or not; None where the normal conversation goes on.

    An assessment of danger always gets an answer with resources, also where the words were but a reply.
    """
    heeded = heed(text, episode.asked)
    in_danger = assessment.is_crisis and not _is_but_a_reply(assessment, heeded, episode)
    voice = Voice(language, lines, episode.said)
    if episode.is_over and not in_danger:
        return _ended(episode, "safe", voice) if assessment.is_crisis else None
    if assessment.level < Level.IMMINENT and _says_not_safe(episode, heeded):
        return _not_safe(episode, voice)
    if in_danger:
        signs = (set(episode.signs) | _heard(heeded, episode)) - {"safe", "no_thoughts"}
        heard = replace(episode, signs=tuple(sorted(signs)))
        return answer(assessment, language=language, episode=heard, lines=lines)
    if episode.level <= Level.CHECK_IN:
        return _checked_in(episode, heeded, voice)
    replied = _replied(episode, heeded, voice)
    return replace(replied, shows_resources=replied.shows_resources or assessment.is_crisis)


def _is_but_a_reply(assessment: Assessment, heeded: Heeded, episode: Episode) -> bool:
    """A bare yes, no or "I'm safe now" to our own question, whatever a detector makes of such words alone."""
    if assessment.level == Level.IMMINENT or episode.level <= Level.CHECK_IN or not heeded.is_plain:
        return False
    return "safe" in heeded.signs or not episode.is_over


def _says_not_safe(episode: Episode, heeded: Heeded) -> bool:
    if episode.is_over or episode.level <= Level.CHECK_IN:
        return False
    if episode.kind == "abuse" and heeded.threat_near:
        return True
    return episode.asked == "safe" and heeded.kind == "no"


# --- the turns ---------------------------------------------------------------------------------------


def _opened(episode: Episode, kind: CrisisType, level: int, voice: Voice) -> CrisisAnswer:
    text, asks = voice.open(kind, level)
    after = replace(
        episode, level=int(level), kind=kind, asked=asks, done=(asks,) if asks else (), signs=(), calm=0
    )
    return _answered(text, after, voice, shows_resources=level > Level.CHECK_IN)


def _said_again(episode: Episode, voice: Voice) -> CrisisAnswer:
    """Danger is spoken of again: the same is not said again, and the next question is asked."""
    after = replace(episode, calm=0, is_over=False)
    again = f"again.{_tone(after, Level(max(episode.level, Level.ELEVATED)).label)}"
    if not voice.has(again):
        return _stayed(after, voice)
    return _with_question(voice.say(again), after, voice)


def _not_safe(episode: Episode, voice: Voice) -> CrisisAnswer:
    after = replace(episode, level=int(Level.IMMINENT), signs=(), calm=0, done=("safe",), asked="")
    pools = f"reply.{_tone(after, 'unsafe')}", f"again.{_tone(after, 'imminent')}"
    return _with_question(voice.say(*pools), after, voice, first="company")


def _stayed(episode: Episode, voice: Voice) -> CrisisAnswer:
    """Nothing is left to ask, and it is not over."""
    holding = (f"hold.{_tone(episode, 'with_you')}",) if episode.level == Level.IMMINENT else ()
    return _answered(voice.say(*holding, "stay.with_you"), replace(episode, asked=""), voice)


def _tone(episode: Episode, usual: str) -> str:
    """Where somebody else is the danger, other words hold than where it comes from within."""
    return "threatened" if episode.kind == "abuse" and episode.level == Level.IMMINENT else usual


def _checked_in(episode: Episode, heeded: Heeded, voice: Voice) -> CrisisAnswer | None:
    """After a gentle question: nothing more where the reply is calm, the whole answer where it is not."""
    if heeded.kind == "asks_for_person":
        return _answered(voice.say("reply.shown"), replace(episode, asked=""), voice, shows_resources=True)
    if not episode.asked or heeded.kind not in ("yes", "no", "unsure"):
        return None
    is_troubled = heeded.kind == ("no" if episode.asked == "safe" else "yes")
    if not is_troubled and heeded.kind != "unsure":
        return _ended(episode, "calm", voice, shows_resources=False)
    level = Level.HIGH if is_troubled else Level.ELEVATED
    kind = _of_life(episode.kind) if is_troubled and episode.asked == "thoughts" else episode.kind
    return _opened(episode, kind, level, voice)


def _of_life(kind: CrisisType) -> CrisisType:
    return "self_harm" if kind == "self_harm" else "suicidal_ideation"


def _replied(episode: Episode, heeded: Heeded, voice: Voice) -> CrisisAnswer:
    asked, kind = episode.asked, heeded.kind
    if asked == "thoughts" and kind == "yes":
        life = _of_life(episode.kind)
        return (
            _said_again(episode, voice)
            if voice.has_opened(life, Level.HIGH)
            else _opened(episode, life, Level.HIGH, voice)
        )
    signs = set(episode.signs) | _heard(heeded, episode)
    after = replace(episode, signs=tuple(sorted(signs)), calm=episode.calm + 1, asked="")
    if _may_end(after, told=bool(heeded.signs)):
        return _ended(
            after, next((sign for sign in ("called", "company", "safe") if sign in signs), "calm"), voice
        )
    reaction = _reaction(heeded, asked, voice)
    if asked == "human" and kind in ("yes", "willing"):
        return _answered(voice.say(reaction or "reply.heard"), replace(after, asked="called"), voice)
    return _with_question(
        voice.say(reaction) if reaction else "", after, voice, first=_next_if_alone(after, heeded, asked)
    )


def _heard(heeded: Heeded, episode: Episode) -> set[str]:
    """Signs of safety in the words, and in a yes or no to what was asked."""
    signs: set[str] = set(heeded.signs)
    if episode.kind == "abuse":
        signs.discard("company")  # who is there may be who does it: only a yes to "somebody you trust" counts
    implied = {
        "safe": "safe",
        "company": "company",
        "means": "distance",
        "call": "called",
        "called": "called",
    }
    if heeded.kind == "yes" and episode.asked in implied:
        signs.add(implied[episode.asked])
    if heeded.kind == "no" and episode.asked == "thoughts":
        signs.add("no_thoughts")
    return signs


def _may_end(episode: Episode, *, told: bool) -> bool:
    """Whether the signs suffice: the graver it was, the more of them. `told`: one was just said in so many words."""
    signs = set(episode.signs)
    persons, strong = signs & {"company", "called"}, signs & {"company", "called", "safe"}
    if episode.level == Level.IMMINENT:
        return bool(persons) and len(signs) > 1
    if episode.level == Level.HIGH:
        return bool(strong) and (len(signs) > 1 or episode.calm >= _CALM_TURNS)
    return bool(strong and told) or (bool(signs) and episode.calm > 1)


def _reaction(heeded: Heeded, asked: str, voice: Voice) -> str:
    """The name of the pool that takes up what was said; empty where every fitting paragraph has been used."""
    question = "human" if asked == "called" else asked
    replies = {"failed": "reply.failed", "brush_off": "reply.brush_off", "asks_for_person": "reply.shown"}
    pools = [replies[heeded.kind]] if heeded.kind in replies else []
    reply = "yes" if heeded.kind == "willing" else heeded.kind
    if reply in ("yes", "no", "unsure"):
        pools.append(f"reaction.{question}.{reply}")
    pools += [
        f"reaction.sign.{sign}" for sign in ("called", "company", "safe", "distance") if sign in heeded.signs
    ]
    return next((pool for pool in [*pools, "reply.heard"] if voice.has(pool)), "")


def _next_if_alone(episode: Episode, heeded: Heeded, asked: str) -> Question:
    """Nobody is there: who could be, unless the emergency call is still to be asked for."""
    is_alone = asked == "company" and heeded.kind in ("no", "unsure")
    return "who" if is_alone and (episode.level < Level.IMMINENT or "call" in episode.done) else ""


def _with_question(text: str, episode: Episode, voice: Voice, first: Question = "") -> CrisisAnswer:
    """Add the next question, or stay with the player where none is left."""
    asking = [first] if first and first not in episode.done else []
    for question in (*asking, *_open_questions(episode)):
        pool = (
            "question.ally" if question == "company" and episode.kind == "abuse" else f"question.{question}"
        )
        if voice.has(pool):
            text = "\n\n".join(filter(None, (text, voice.say(pool))))
            done = (*episode.done, question)
            return _answered(text, replace(episode, asked=question, done=done), voice)
    if not text or voice.said[-1].startswith("reply.heard"):
        voice.said = list(episode.said)  # listening alone is not enough: what was chosen is not said
        return _stayed(episode, voice)
    return _answered(text, replace(episode, asked=""), voice)


def _open_questions(episode: Episode) -> Iterator[Question]:
    settled = {"safe": "safe", "company": "company", "means": "distance", "human": "called", "call": "called"}
    for question in _QUESTIONS[Level(episode.level)]:
        fits = question != "means" or episode.kind in _WITH_MEANS
        if fits and question not in episode.done and settled[question] not in episode.signs:
            yield question


def _ended(episode: Episode, sign: str, voice: Voice, *, shows_resources: bool = True) -> CrisisAnswer:
    over = replace(episode, is_over=True, asked="")
    ended = _answered(voice.say(f"closing.{sign}"), over, voice, shows_resources=shows_resources)
    return replace(ended, is_over=True, exercises=())


def _answered(
    text: str, episode: Episode, voice: Voice, *, shows_resources: bool | None = None
) -> CrisisAnswer:
    """The resources come with every answer of consequence; a word in between leaves those above in sight."""
    after = replace(episode, turns=episode.turns + 1, said=tuple(voice.said[-_MOST_SAID:]))
    if shows_resources is None:
        shows_resources = _is_of_consequence(after, new=set(voice.said) - set(episode.said))
    exercises = _EXERCISES[after.kind] if shows_resources and after.level < Level.IMMINENT else ()
    if after.level == Level.IMMINENT and after.kind != "substance_abuse":
        exercises = _EXERCISES[after.kind][:1]
    return CrisisAnswer(text, after, shows_resources, exercises)


def _is_of_consequence(episode: Episode, new: set[str]) -> bool:
    if episode.level == Level.IMMINENT or episode.turns % 3 == 0:
        return True
    grave = (
        "again.",
        "reply.unsafe",
        "reply.failed",
        "reply.shown",
        "question.human",
        "reaction.company.no",
        "reaction.who.no",
    )
    return any(name.startswith(grave) for name in new)
