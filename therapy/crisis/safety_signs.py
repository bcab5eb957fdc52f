"""What a player answered when danger was asked about: yes, no, unsure, and signs that they are safer.

English and Spanish at once, because people mix them. It errs on the side of hearing less safety than
there is: a sign in a question, after a negation or beside a "but" is none.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

ReplyKind = Literal["yes", "willing", "no", "unsure", "asks_for_person", "failed", "brush_off", "other"]
Sign = Literal["safe", "company", "called", "distance"]

_SHORT = 8  # words; a longer message tells something, and is not taken for a bare yes or no
_READ = 1_000  # characters; a reply stands at the beginning

_PEOPLE = (
    r"(?:mom|mum|mother|mama|dad|father|papa|parents?|sister|brother|sis|bro|friends?|bestie|wife|husband|partner"
    r"|girlfriend|boyfriend|gf|bf|fiancee?|roommates?|flatmates?|housemates?|neighbou?rs?|teacher|coach|counsell?or"
    r"|therapist|doctor|nurse|aunt|uncle|cousin|grandma|grandpa|gran|nan|son|daughter|kids|family|someone|somebody"
    r"|madre|padre|mami|papi|padres|hermana|hermano|herman[oa]s|amig[oa]s?|mujer|marido|espos[oa]|pareja|novi[oa]"
    r"|compañer[oa]s?|companer[oa]s?|vecin[oa]s?|profe|profesor[a]?|psicolog[oa]|medic[oa]|enfermer[oa]|ti[oa]"
    r"|prim[oa]s?|abuel[oa]s?|hij[oa]s?|familia|alguien)"
)
_NOT_THERE = re.compile(
    r"\b(?:dead|died|abroad|asleep|away|hate\w*|muri\w*|muert[oa]s?|fallec\w*|lejos|durmiendo|odi\w*)\b"
)

_YES = re.compile(
    r"(?:yes|yeah|yea|yep|yup|yh|ye|of course|definitely|mhm|uh huh|done|already|i am|i do|i did|i have"
    r"|si|sip|claro|hecho|ya|ya esta|lo hice|por supuesto)\b"
)
# Yes to being safe, but to "are you thinking of ending your life?" rather a no, and to "have you called?" nothing.
_WELL = re.compile(
    r"(?:ok|okay|okey|k|kk|fine|good|alright|sure|im (?:ok|okay|fine|good|alright|safe)|bien|estoy bien|vale|de acuerdo|bueno)\b"
)
_WILLING = re.compile(r"(?:i can|i could|i will|ill|lets|puedo|podria|lo hare|voy|dale)\b")
_NO = re.compile(
    r"(?:no|nope|nah|naw|never|not|cant|cannot|dont|wont|i cant|i cannot|i dont|i wont|i havent|im not|i am not"
    r"|nobody|none|alone|by myself|im alone|im by myself|theres no|there is no|there isnt"
    r"|nop|nunca|nadie|ningun[oa]?|sol[oa]|estoy sol[oa]|todavia no|aun no|tampoco|imposible)\b"
    r"(?! (?:matter|wonder|offen[sc]e|problem|solo)\b)"
)
_UNSURE = re.compile(
    r"\b(?:idk|i dont know|dunno|not sure|unsure|maybe|perhaps|kinda|kind of|sorta|sort of|i guess|i think so|i suppose"
    r"|yes and no|no se|no lo se|nose|no lo tengo claro|quizas?|tal vez|puede ser|puede que|creo que si|mas o menos"
    r"|supongo|depende|si y no|no estoy segur[oa])\b"
)
_BUT = re.compile(r"\b(?:but|though|except|pero|aunque)\b")
_OFTEN = re.compile(
    r"\b(?:sometimes|always|often|all the time|every (?:day|night)|constantly|a veces|siempre|a menudo|todos? (?:el|los) dias?)\b"
)
_NOTHING = re.compile(r"\b(?:nothing|dont have (?:any|it|one)|no tengo nada|no hay nada|nada)\b")
_BRUSH_OFF = re.compile(
    r"\b(?:nvm|nevermind|never mind|forget (?:it|about it|i said|what i said)|(?:just )?kidding|jk|a joke|didnt mean it"
    r"|ignore (?:me|that|it)|whatever|doesnt matter|olvidal[oa]|olvida (?:lo|eso)|broma|no importa|da igual"
    r"|dejal[oa]|no es nada|no pasa nada)\b"
)
_ASKS_FOR_PERSON = re.compile(
    r"\b(?:show me|(?:the|a|some|any) (?:number|line|hotline|helpline)s?|(?:talk|speak) (?:to|with) (?:a |some ?|an actual |a real )"
    r"(?:person|one|body|human)|(?:a|an actual) (?:real )?(?:person|human)|who (?:can|could|do|should) i (?:call|text)"
    r"|muestra\w*|ensena\w*|(?:el|un|algun) (?:numero|telefono)|(?:la|una|alguna) linea|hablar con (?:una persona|alguien)"
    r"|una persona(?: de verdad| real)?|a (?:quien|donde) (?:puedo )?llam\w+)\b"
)
_FAILED = re.compile(
    r"\b(?:(?:nobody|no one|noone) (?:is )?(?:answer\w*|pick\w*)|(?:didnt|dont|doesnt|wont) (?:answer|pick up)|hung up"
    r"|no answer|(?:cant|couldnt) get through|(?:put me )?on hold|line (?:is|was) busy|didnt help"
    r"|no (?:me )?(?:contesta\w*|responde\w*|cogen|atiende\w*)|nadie (?:me )?(?:contesta|responde|atiende|coge)"
    r"|me (?:colgaron|han colgado)|esta ocupad[oa]|no me (?:ayudaron|han ayudado))\b"
)

_NEGATED = re.compile(
    r"\b(?:not|never|dont|doesnt|didnt|isnt|arent|wasnt|cant|wont|no|nobody|nadie|nunca|none|ni|tampoco|wish|if|ojala|si (?:estuviera|viniera|tuviera))\b"
)
_SIGNS: dict[Sign, re.Pattern[str]] = {
    "safe": re.compile(
        r"\b(?:(?:im|i am|i feel|feeling|feel) (?:\w+ ){0,2}(?:safe|safer|better|calmer|(?:ok|okay|fine|good|alright) now)"
        r"|safe now|calmed down|(?:it|the (?:panic|urge|worst|wave)) (?:has |is )?(?:passed|over|gone)"
        r"|estoy (?:\w+ ){0,2}(?:a salvo|mejor|tranquil[oa])|ya estoy bien|me siento (?:\w+ ){0,2}(?:mejor|a salvo|tranquil[oa])"
        r"|(?:ya )?se me (?:paso|ha pasado)|ya (?:me )?paso)\b"
    ),
    "company": re.compile(
        rf"\b(?:{_PEOPLE} (?:is |are |has |s |just |ya |ha )*(?:here|with me|coming|on (?:her|his|their|the) way|next to me|beside me"
        rf"|came|arrived|viene|vienen|llego|llegado|venido|vino|(?:esta|estan) (?:aqui|conmigo|viniendo|en camino|al lado))"
        rf"|(?:im|i am|we are|were) (?:here |now |sitting )?with (?:my|a|the|some) {_PEOPLE}"
        rf"|estoy (?:aqui |ahora )?con (?:mi|mis|una?|el|la|unos) {_PEOPLE}"
        r"|(?:im|i am|estoy) (?:at|in|en) (?:the |a |el |la )?(?:hospital|er|emergency room|clinic|ward|clinica|urgencias))\b"
    ),
    "called": re.compile(
        r"\b(?:(?:i|ive|have|just|already) (?:called|phoned|rang|texted|messaged|contacted|spoke (?:to|with)|talked (?:to|with)|told)"
        rf" (?:them|it|988|911|112|999|000|111|the|my|a|samaritans|lifeline|{_PEOPLE})"
        r"|(?:im|i am) (?:on the (?:phone|line)|talking (?:to|with)|chatting with|texting with)"
        r"|(?:ambulance|paramedics|help|police) (?:is |are )(?:coming|here|on (?:the|its|their) way)"
        r"|(?:he|acabo de) (?:llamado|llamar|escrito|escribir|hablado|hablar)|(?:llame|escribi|hable|marque) (?:al?|con)"
        r"|estoy (?:hablando con|al telefono|chateando con|en la llamada)|se lo (?:conte|dije|he contado|he dicho)"
        r"|(?:ambulancia|ayuda|policia) (?:ya )?(?:viene|esta (?:aqui|en camino)))\b"
    ),
    "distance": re.compile(
        r"\b(?:(?:i|ive|have|just|already) (?:gave|given|threw|thrown|locked|flushed|moved|hid|handed|put)"
        r" (?:it|them|everything|(?:the|my|all) \w+|those \w+) (?:away|out|over|up|down|to|in the|outside)"
        r"|(?:i|ive|just) (?:flushed|locked|got rid of) (?:it|them|the \w+)|(?:left|out of) the (?:room|house|kitchen|bathroom|bridge|roof)"
        r"|out of reach|(?:she|he|they) (?:took|takes|has|have|keeps?) (?:it|them)|se (?:lo|la|los|las) (?:llevo|quedo|di)|(?:lo|la|los|las) (?:he )?(?:tire|tirado|guarde|guardado|di|dado|entregue|entregado|encerre|deje lejos|puse lejos)"
        r"|sali (?:de|del))\b"
    ),
}
# These carry their own "not".
_WILL_NOT = re.compile(
    r"\b(?:(?:not going to|not gonna|wont|will not) (?:do (?:it|anything|that)|hurt myself|act on it|kill myself)"
    r"|no (?:voy a|pienso) (?:hacerlo|hacer nada|hacerme (?:nada|dano))|no lo (?:hare|voy a hacer))\b"
)
_NO_LONGER_HERE = re.compile(r"\bya no (?:lo|la|los|las) tengo\b")
_NOT_ALONE = re.compile(r"\b(?:not alone|no estoy sol[oa])\b")
# "He is here": whom somebody who is being hurt calls by a pronoun is rarely the one who helps.
_THREAT_NEAR = re.compile(
    r"\b(?:(?:hes|shes|theyre|(?:he|she|they) (?:is|are|just|came|got|has)) (?:\w+ )?(?:here|home|back|coming|outside"
    r"|at the door|in the (?:house|room|next room))"
    r"|(?:el|ella|ellos|ya) (?:esta|estan|viene|vienen|llego|volvio|ha (?:llegado|vuelto))|esta (?:aqui|en casa|fuera|en la puerta)"
    r"|acaba de (?:llegar|volver|entrar))\b"
)
_ONLY_REASSURING = re.compile(
    r"(?:yes|yeah|yep|si|ok|okay|thanks?|thank you|gracias|and|y|i|im|am|feel|feeling|safe|safer|now|right|here|at|home"
    r"|fine|good|alright|better|calmer|much|a|bit|little|estoy|me|siento|salvo|ya|ahora|bien|mejor|en|casa|mas|tranquil[oa]"
    r"|un|poco|mucho|no|not|going|to|gonna|wont|will|do|it|anything|voy|hacer|hacerlo|nada)"
)


@dataclass(frozen=True, slots=True)
class Heeded:
    """`is_plain`: nothing was said beside the reply, so that an assessment of the words alone counts for little."""

    kind: ReplyKind = "other"
    signs: frozenset[Sign] = frozenset()
    is_plain: bool = False
    threat_near: bool = False


def heed(text: str, asked: str) -> Heeded:
    """Read `text` as the reply to the question `asked` (a name of paragraphs.Question; empty: nothing was asked)."""
    clauses = _clauses(text)
    whole = " ".join(clause for clause, _ in clauses)
    words = whole.split()
    signs = frozenset(sign for sign in _SIGNS if _shows(sign, clauses)) | _denials(clauses)
    kind = _kind(whole, words, asked, first=clauses[0][0] if clauses else "")
    bare = kind in ("yes", "no", "unsure") and len(words) <= 3
    plain = bare or ("safe" in signs and all(_ONLY_REASSURING.fullmatch(word) for word in words))
    threat = any(
        _THREAT_NEAR.search(words) and not _NEGATED.search(words) for words, asks in clauses if not asks
    )
    return Heeded(kind, signs, plain, threat)


def _clauses(text: str) -> list[tuple[str, bool]]:
    """Folded pieces between punctuation and "but", each with whether it ended as a question."""
    folded = unicodedata.normalize("NFKD", text[:_READ].lower())
    folded = "".join(c for c in folded if not unicodedata.combining(c))
    folded = re.sub(r"['’‘`´]", "", folded)
    folded = re.sub(r"(.)\1{2,}", r"\1", folded)
    pieces = re.findall(r"([^.,;:!?¿¡\n()\"]+)([.,;:!?\n()\"]*)", folded)
    clauses = [(" ".join(re.findall(r"[\wñ]+", words)), "?" in mark) for words, mark in pieces]
    return [(words, asks) for words, asks in clauses if words]


def _shows(sign: Sign, clauses: list[tuple[str, bool]]) -> bool:
    for words, asks in clauses:
        part = _BUT.split(words)[0] if sign == "safe" else words
        match = None if asks else _SIGNS[sign].search(part)
        if match and not _NEGATED.search(part[: match.end()]):
            return True
    return False


def _denials(clauses: list[tuple[str, bool]]) -> frozenset[Sign]:
    told = [words for words, asks in clauses if not asks]
    found: set[Sign] = set()
    if any(_WILL_NOT.search(words) for words in told):
        found.add("safe")
    if any(_NOT_ALONE.search(words) for words in told):
        found.add("company")
    if any(_NO_LONGER_HERE.search(words) for words in told):
        found.add("distance")
    return frozenset(found)


def _kind(whole: str, words: list[str], asked: str, *, first: str) -> ReplyKind:
    if _FAILED.search(whole):
        return "failed"
    is_short = len(words) <= _SHORT
    if is_short and _ASKS_FOR_PERSON.search(whole) and not _NEGATED.search(whole):
        return "asks_for_person"
    if is_short and (
        _UNSURE.search(whole) or (_BUT.search(whole) and (_YES.match(first) or _WELL.match(first)))
    ):
        return "unsure"
    bare = is_short or len(first.split()) <= 2
    if asked == "thoughts" and is_short and _OFTEN.search(whole):
        return "yes"
    if asked == "means" and is_short and _NOTHING.search(whole):
        return "yes"
    if _BRUSH_OFF.search(whole) and is_short:
        return "brush_off"
    if bare and _NO.match(first):
        return "no"
    if bare and (_YES.match(first) or (asked == "safe" and _WELL.match(first))):
        return "yes"
    if bare and asked in ("who", "means", "human") and (_WELL.match(first) or _WILLING.match(first)):
        return "willing"
    return _names_somebody(whole, words, asked)


def _names_somebody(whole: str, words: list[str], asked: str) -> ReplyKind:
    is_answer = asked in ("company", "who") and len(words) <= 6 and re.search(rf"\b{_PEOPLE}\b", whole)
    return "yes" if is_answer and not _NOT_THERE.search(whole) and not _NEGATED.search(whole) else "other"
