"""What a reply to a question about danger means; less safety is heard rather than more."""

from __future__ import annotations

import pytest

from therapy.crisis.safety_signs import heed


@pytest.mark.parametrize(
    "text",
    [
        "yes", "Yeah.", "yesss", "ok", "I am", "im ok", "sure, I can", "I'm safe", "yes, she made me tea and we sat down together for a while",
        "sí", "claro", "vale", "ya está", "estoy bien",
    ],
)  # fmt: skip
def test_yes_is_heard(text: str) -> None:
    assert heed(text, "safe").kind == "yes"


@pytest.mark.parametrize("text", ["ok", "I'm fine", "sure", "I'm safe now", "estoy bien", "vale"])
def test_being_well_is_yes_to_being_safe_and_to_nothing_else(text: str) -> None:
    assert heed(text, "safe").kind == "yes"
    assert {heed(text, asked).kind for asked in ("thoughts", "company", "call", "called")} == {"other"}


@pytest.mark.parametrize("text", ["ok", "I will", "ok I can try", "vale", "lo haré", "puedo"])
def test_being_willing_is_not_having_done_it(text: str) -> None:
    assert {heed(text, asked).kind for asked in ("who", "means", "human")} == {"willing"}


@pytest.mark.parametrize(
    "text",
    [
        "no", "nope", "not really", "I can't", "No, I'm home alone and it is raining and I am scared", "nobody", "I'm alone",
        "I'm not safe", "no puedo", "nadie", "estoy sola", "todavía no",
    ],
)  # fmt: skip
def test_no_is_heard(text: str) -> None:
    assert heed(text, "company").kind == "no"


@pytest.mark.parametrize(
    "text",
    ["idk", "I don't know", "maybe?", "yes but barely", "I guess", "kinda", "no sé", "quizás", "sí, pero no mucho", "más o menos"],
)  # fmt: skip
def test_unsure_is_neither(text: str) -> None:
    assert heed(text, "safe").kind == "unsure"


@pytest.mark.parametrize(
    "text",
    [
        "no matter what I do", "the soup was good", "", "...", "\u00bf?", "no one ever gets what I mean when I talk about school and that",
        "yesterday was long", "nothing to say",
    ],
)  # fmt: skip
def test_other_words_are_no_reply(text: str) -> None:
    assert heed(text, "safe").kind == "other"


@pytest.mark.parametrize(
    "text", ["nvm", "forget it lol", "it was a joke", "whatever", "olvídalo", "da igual", "era broma"]
)
def test_brushing_off_is_heard(text: str) -> None:
    assert heed(text, "safe").kind == "brush_off"


@pytest.mark.parametrize(
    "text",
    ["I called and nobody answered", "they hung up on me", "I couldn't get through", "no contestan", "nadie responde", "me colgaron"],
)  # fmt: skip
def test_line_that_failed_is_heard(text: str) -> None:
    assert heed(text, "human").kind == "failed"


@pytest.mark.parametrize(
    "text",
    ["show me one", "can I talk to a real person", "who can I call?", "give me the number", "quiero hablar con alguien", "¿a quién llamo?"],
)  # fmt: skip
def test_asking_for_a_person_is_heard(text: str) -> None:
    assert heed(text, "safe").kind == "asks_for_person"


def test_not_wanting_a_person_is_no_request_for_one() -> None:
    assert heed("I don't want a person", "human").kind == "no"


def test_often_is_yes_to_thoughts_only() -> None:
    assert heed("sometimes", "thoughts").kind == "yes"
    assert heed("a veces", "thoughts").kind == "yes"
    assert heed("sometimes", "safe").kind == "other"


def test_nothing_at_hand_is_distance() -> None:
    assert heed("there's nothing here", "means").kind == "yes"
    assert heed("no tengo nada", "means").kind == "yes"


@pytest.mark.parametrize("text", ["my mum", "my roommate", "mi hermana", "a friend from school"])
def test_naming_somebody_is_yes_to_company(text: str) -> None:
    assert heed(text, "company").kind == "yes"
    assert heed(text, "safe").kind == "other"


@pytest.mark.parametrize("text", ["my mum is dead", "my dad is away", "my friends hate me", "mi madre murió"])
def test_somebody_who_is_not_there_is_no_company(text: str) -> None:
    heard = heed(text, "company")
    assert heard.kind != "yes"
    assert not heard.signs


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("I'm safe now", "safe"),
        ("I feel a bit better", "safe"),
        ("the panic has passed", "safe"),
        ("I'm not going to do it", "safe"),
        ("ya estoy mejor", "safe"),
        ("estoy a salvo", "safe"),
        ("no voy a hacerlo", "safe"),
        ("my sister is here", "company"),
        ("I'm with my dad", "company"),
        ("my best friend is on her way", "company"),
        ("I'm at the hospital", "company"),
        ("I'm not alone", "company"),
        ("mi hermana está aquí", "company"),
        ("estoy con mi madre", "company"),
        ("viene mi hermano, ya llegó; mi hermano está conmigo", "company"),
        ("estoy en urgencias", "company"),
        ("no estoy solo", "company"),
        ("I called 988", "called"),
        ("I just texted my sister", "called"),
        ("I'm on the phone with them", "called"),
        ("the ambulance is coming", "called"),
        ("ya llamé al 024", "called"),
        ("he hablado con ellos", "called"),
        ("la ambulancia ya viene", "called"),
        ("I gave them to my dad", "distance"),
        ("I locked it up", "distance"),
        ("she took them away", "distance"),
        ("los he guardado lejos", "distance"),
        ("ya no las tengo", "distance"),
    ],
)
def test_sign_of_safety_is_heard(text: str, sign: str) -> None:
    assert sign in heed(text, "").signs


@pytest.mark.parametrize(
    "text",
    [
        "I'm not safe", "I don't feel safe", "am I safe now?", "I wish my sister was here", "nobody is with me", "is my mom coming?",
        "I never called them", "should I say I called 988?", "I can't say I feel better", "I'm not okay now", "if I was safe now",
        "no estoy a salvo", "no me siento mejor", "ojalá mi hermana estuviera aquí", "mi madre no está aquí", "no llamé al 024",
        "¿ya estoy a salvo?", "no los he guardado", "I'm fine", "it's fine",
    ],
)  # fmt: skip
def test_denied_wished_or_asked_is_no_sign(text: str) -> None:
    assert heed(text, "").signs == frozenset()


def test_safe_after_a_but_does_not_count_what_comes_before_does() -> None:
    assert heed("I want to go but I'm safe now", "").signs == frozenset()
    assert heed("my sister is here but I still want to", "").signs == {"company"}


@pytest.mark.parametrize("text", ["no", "yes", "idk", "I'm safe now, thanks", "ya estoy mejor, gracias"])
def test_bare_reply_is_plain(text: str) -> None:
    assert heed(text, "safe").is_plain


@pytest.mark.parametrize(
    "text", ["no, I want to die", "I'm safe now because it is over soon", "yes I took all of it"]
)
def test_reply_that_says_more_is_not(text: str) -> None:
    assert not heed(text, "safe").is_plain


@pytest.mark.parametrize(
    "text", ["he is here", "hes coming back", "they're outside", "él está aquí", "acaba de llegar"]
)
def test_somebody_without_a_name_near_is_heard(text: str) -> None:
    assert heed(text, "").threat_near


@pytest.mark.parametrize("text", ["my sister is here", "he isn't here", "is he here?", "él no está aquí"])
def test_others_are_no_threat(text: str) -> None:
    assert not heed(text, "").threat_near


def test_ten_thousand_characters_are_read_no_further_than_a_reply_goes() -> None:
    assert heed("soup " * 2000 + ". I'm safe now", "safe").signs == frozenset()
