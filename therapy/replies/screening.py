"""The fence around drafts of engines whose words were not vetted. The first rule that is broken is named.

Rules look at sentences, so that a hedge ("I can't say whether you have …") excuses only what it stands before.
Every pattern is bounded; none can backtrack at length. They are a last fence, and no proof that a draft is good.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from .prompt import RULES

Rule = Literal[
    "empty",
    "too_long",
    "contact",
    "diagnosis",
    "dose_or_method",
    "claims_human",
    "agrees_with_harm",
    "system_prompt",
]

#: Characters. A reply is two to four sentences; beyond this it is a lecture.
LONGEST = 1_200
#: So many words in a row of the system prompt are a quotation.
QUOTED_WORDS = 7


def screen(draft_text: str, *, allowed_contacts: frozenset[str], language: str = "en") -> Rule | None:
    """The rule that the draft breaks, or None. `allowed_contacts`: numbers as dialled and links of the helplines.

    `language` is the conversation's; the patterns of all languages apply, as a model may answer in either.
    """
    text = _plain(draft_text)
    if not any(letter.isalpha() for letter in text):
        return "empty"
    if len(draft_text) > LONGEST:
        return "too_long"
    if _has_foreign_contact(text, allowed_contacts):
        return "contact"
    for rule, is_broken in _SENTENCE_RULES:
        if any(is_broken(sentence) for sentence in _SENTENCE_END.split(text)):
            return rule
    return "system_prompt" if _quotes_prompt(text) else None


def _plain(text: str) -> str:
    return _FORMATTING.sub("", text.lower().replace("’", "'").replace("‘", "'"))


_FORMATTING = re.compile(r"[*_`\u200b-\u200f\u2060\ufeff]")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+|[;]")


# --- contacts ---------------------------------------------------------------------------------------

_NUMBER = re.compile(r"\+?\(?\d[\d().\s/-]{1,22}\d")
_DATE_OR_YEARS = re.compile(
    r"(?:19|20)\d\d\s?[-/.]\s?(?:(?:19|20)\d\d|\d{1,2}[-/.]\d{1,2})|\d{1,2}[./]\d{1,2}[./]\d{2,4}"
)
_DIALLED = re.compile(
    r"\b(?:call|dial|phone|ring|text|sms|whatsapp|llama|llamar|marca|marcar|telefono|teléfono|contact)\b[^.!?\d]{0,40}?(\d[\d\s-]{1,8}\d)"
)
_LINK = re.compile(
    r"https?://\S+|www\.\S+|\b[\w.-]{1,60}\.(?:com|org|net|info|gov|edu|io|app|health|care|chat|help|es|uk|mx|ar)\b(?:/\S*)?"
    r"|\b[\w-]{1,40}\.[a-z]{2,10}/\S+|[\w.+-]{1,60}@[\w-]{1,40}\.\w{2,}|(?<!\w)@\w{3,30}"
)
_SPELLED = re.compile(r"(?:\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)\b[\s,-]{1,3}){6,}")


def _has_foreign_contact(text: str, allowed: frozenset[str]) -> bool:
    numbers = frozenset(digits for contact in allowed if (digits := _digits(contact)))
    sites = tuple(
        _site(contact) for contact in allowed if "." in contact and not contact.replace(".", "").isdigit()
    )
    for found in _LINK.finditer(text):
        if _site(found.group()) not in sites:
            return True
    for found in _NUMBER.finditer(text):
        if _is_dialable(found.group()) and _digits(found.group()) not in numbers:
            return True
    if any(_digits(found.group(1)) not in numbers for found in _DIALLED.finditer(text)):
        return True
    return bool(_SPELLED.search(text))


def _is_dialable(written: str) -> bool:
    """Seven digits or more, in groups as numbers have them: no countdown, no date, no span of years."""
    if len(_digits(written)) < 7 or _DATE_OR_YEARS.fullmatch(written.strip(" .")):
        return False
    return max(len(group) for group in re.split(r"\D+", written)) >= 3 or not re.search(
        r"\s", written.strip()
    )


def _digits(written: str) -> str:
    return "".join(character for character in written if character.isdigit())


def _site(link: str) -> str:
    """The host alone: a helpline's other pages are the helpline's too."""
    bare = re.sub(r"^(?:https?://)?(?:www\.)?", "", link.lower())
    return re.split(r"[/?#]", bare, maxsplit=1)[0].rstrip(".,;:!?)\"'")


# --- what a draft must not say ----------------------------------------------------------------------

_HEDGE = re.compile(
    r"(?:\b(?:not|never|cannot|whether|if|unless|who|people|someone|somebody|mean|means|no|si|cuando|quien|quienes|quiere decir|significa)\b|n't)[^,:]{0,50}$"
)
_FELT = re.compile(
    r"\b(?:feel|feels|felt|think|thinks|thought|thoughts|believe|sense|seem|seems|seemed|as if|as though|tells you|telling you|says|said|sientes|piensas|crees|parece|como si|dice|dicen)\b[^:]{0,60}$"
)

_CONDITION = (
    r"(?:(?:clinical |major |severe |chronic )?depress(?:ion|ive disorder)|clinically depressed|bipolar|ptsd|post[- ]traumatic stress|"
    r"ocd|obsessive[- ]compulsive|adhd|autis(?:m|tic)|schizo\w{1,12}|psychosis|psychotic|bpd|borderline|narcissis\w{1,8}|"
    r"(?:\w{3,14} )?(?:disorder|syndrome)|anorexi[ac]|bulimi[ac]|an alcoholic|an addict|mentally ill|"
    r"depresi[oó]n|tept|tdah|toc|autist[ao]|autismo|esquizo\w{1,10}|trastorno|mentalmente enferm[oa]|alcoh[oó]lic[oa])"
)
_HAVING = (
    r"\b(?:you(?:'re| are)(?: \w{3,12})? (?:showing|suffering|experiencing|dealing with|struggling with|diagnosed)|you (?:\w{3,10} )?(?:have|had|suffer from|show|meet)|you've got|"
    r"you(?:'re| are)|this is|that is|that's|it's|it is|tienes|padeces|sufres(?: de)?|eres|est[aá]s|esto es|eso es)\b"
)
_DIAGNOSIS = re.compile(
    rf"(?:{_HAVING}(?: [\w']{{1,12}}){{0,4}}?|\b(?:your|tu)(?: \w{{3,12}})?) {_CONDITION}\b(?<!in disorder)"
)
_DIAGNOSING = re.compile(r"\b(?:my diagnosis|i diagnose|i would diagnose|mi diagn[oó]stico|te diagnostico)\b")

_DOSE = re.compile(
    r"\b\d+(?:[.,]\d+)?\s?(?:mg|mcg|µg|milligrams?|miligramos?)\b"
    r"|\b(?:\d+|one|two|three|four|five|six|a few|several|some|more|extra|una?|dos|tres|cuatro|varias|m[aá]s)\s(?:\w{2,14}\s)?(?:pills?|tablets?|capsules?|pastillas?|comprimidos?|c[aá]psulas?)\b"
    r"|\b(?:double|increase|raise|lower|reduce|halve|skip|stop|quit|start|duplica|aumenta|sube|baja|reduce|deja)\s(?:taking\s|de tomar\s)?(?:your|the|tu|la|el)\s(?:meds?|medication|medicine|dose|pills?|antidepressants?|dosis|medicaci[oó]n|pastillas?|antidepresivos?)\b"
)
_METHOD = re.compile(
    r"\b(?:lethal|fatal|deadly|letal|mortal)\s(?:dose|amount|dosis|cantidad)|\b(?:overdose on|noose|tie a rope|slit your|cut (?:your|along) (?:the )?(?:wrist|arm|vein)s?|"
    r"painless way to|easiest way to (?:die|kill|end)|hang yourself|suffocate yourself|jump (?:off|from) (?:a|the) (?:bridge|building|roof)|"
    r"c[oó]rtate|ah[oó]rcate|t[ií]rate de|sobredosis de|una soga)\b"
)

_PERSON_CLAIM = re.compile(
    r"\b(?:i am|i'm|as|(?<!no )soy)\s(?:really |actually |also |just |only |realmente |tambi[eé]n )?(?:a |an |un |una )?(?:real |actual |licensed |trained |fellow |human )?"
    r"(?:human(?: being)?|person|therapist|psychologist|psychiatrist|doctor|nurse|counsell?or|clinician|mother|father|parent|woman|man|"
    r"humano|humana|persona|terapeuta|psic[oó]log[oa]|psiquiatra|m[eé]dic[oa]|doctora?|enfermer[oa])(?: myself| too)?(?=[\s.,!?;]|$)(?! (?:could|would|can|might) )"
)
_MACHINE_DENIAL = re.compile(
    r"\b(?:(?:i am|i'm) not (?:a |an |just a |some )?(?:bot|robot|machine|program|computer|ai|chatbot|software)|no soy (?:un |una )?(?:bot|robot|m[aá]quina|programa|ia|inteligencia artificial))\b(?! that)"
)
_OWN_LIFE = re.compile(
    r"\b(?:when i was (?:a child|a kid|young|little|your age|younger|in school)|my (?:own )?(?:mother|mom|father|dad|wife|husband|kids|children|childhood|therapist)\b|i(?:'ve| have) been through|i went through (?:that|the same|something)|"
    r"i know (?:exactly )?how you feel|cuando yo era|mi (?:propia )?(?:madre|padre|esposa|marido|infancia)\b|yo pas[eé] por|s[eé] (?:exactamente )?c[oó]mo te sientes)"
)

_HARM = re.compile(
    r"\byou (?:should|could|can|may|might as well|ought to|have to|must|have every right to|deserve to) (?:just |really |go |then )?(?:and )?(?:die|be dead|(?:kill|hurt|harm|cut|hit|punish|starve) (?:yourself|him|her|them|your \w{2,12})|end (?:it|your life)|suffer|get (?:back at|revenge)|make (?:him|her|them) pay)\b"
    r"|(?:^|[,:] ?|\bjust |\bgo ahead and |\bgo and |\bgo )(?:kill|hurt|harm|cut|starve) (?:yourself|him|her|them)\b(?! some slack)"
    r"|\b(?:it(?:'s| is) (?:ok|okay|fine|alright|good|right|understandable) (?:to|that you) (?:hurt|harm|cut|kill|hit|starve))"
    r"|\b(?:you deserve(?:d)? (?:it|this|that|the pain|to be (?:hit|hurt|punished|abused))|you(?:'re| are) (?:right to want to die|right to hate yourself|better off dead|worthless|a burden|a failure))\b"
    r"|\b(?:everyone|everybody|they|the world|your family) (?:would|will|'d|'ll)? ?be better off without you\b|\b(?:no one|nobody) would (?:miss you|notice)\b"
    r"|\b(?:life (?:is|isn't) (?:not )?worth living|there(?:'s| is) no (?:hope|point) (?:for you|in living)|end your life)\b"
    r"|\b(?:m[aá]tate|h[aá]zte daño|deber[ií]as (?:morir|matarte|hacerte daño|cortarte)|mereces (?:morir|sufrir|el castigo|que te)|estar[ií]an mejor sin ti|eres una carga|nadie te echar[ií]a de menos)\b"
)
_PROMPT_TALK = re.compile(
    r"\b(?:(?:my|the) system prompt|my (?:initial |original |hidden )?instructions (?:are|say|tell|were)|i was (?:instructed|told|programmed) to|as an ai language model|"
    r"mis instrucciones (?:son|dicen)|mi prompt|como modelo de lenguaje)\b|<\|(?:im_start|system)|\[inst\]"
)


def _diagnoses(sentence: str) -> bool:
    if _DIAGNOSING.search(sentence):
        return True
    return _says(_DIAGNOSIS, sentence, _HEDGE)


def _claims_human(sentence: str) -> bool:
    return bool(
        _PERSON_CLAIM.search(sentence) or _MACHINE_DENIAL.search(sentence) or _OWN_LIFE.search(sentence)
    )


def _gives_dose_or_method(sentence: str) -> bool:
    return _says(_DOSE, sentence, _REFUSAL) or bool(_METHOD.search(sentence))


def _agrees_with_harm(sentence: str) -> bool:
    return _says(_HARM, sentence, _FELT)


def _talks_of_prompt(sentence: str) -> bool:
    return bool(_PROMPT_TALK.search(sentence))


_REFUSAL = re.compile(r"(?:\b(?:not|never|cannot|before you|without|no|nunca|antes de)\b|n't)[^,:]{0,40}$")


def _says(pattern: re.Pattern[str], sentence: str, excuse: re.Pattern[str]) -> bool:
    return any(not excuse.search(sentence[: found.start()]) for found in pattern.finditer(sentence))


_SENTENCE_RULES: tuple[tuple[Rule, Callable[[str], bool]], ...] = (
    ("diagnosis", _diagnoses),
    ("dose_or_method", _gives_dose_or_method),
    ("claims_human", _claims_human),
    ("agrees_with_harm", _agrees_with_harm),
    ("system_prompt", _talks_of_prompt),
)


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    words = re.findall(r"[a-z]+", text.lower())
    return frozenset(tuple(words[i : i + QUOTED_WORDS]) for i in range(len(words) - QUOTED_WORDS + 1))


_PROMPT_RUNS = _runs(RULES)


def _quotes_prompt(text: str) -> bool:
    return not _PROMPT_RUNS.isdisjoint(_runs(text))
