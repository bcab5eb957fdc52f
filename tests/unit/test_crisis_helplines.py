"""Helplines: what the shipped file promises, how a broken file fails, and what a player is shown when."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from therapy.crisis import helplines
from therapy.crisis.assessment import CRISIS_TYPES, CrisisType
from therapy.crisis.helplines import HELPLINES, Helpline, HelplinesError, helplines_for, read, stale

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FACTS_COUNTRIES = ["US", "CA", "GB", "IE", "AU", "NZ", "IN", "DE", "FR", "ES"]
COUNTRIES = sorted({row.country for row in HELPLINES})

ROW = """
[[helpline]]
country = "FR"
key = "ana"
name = "Ana"
method = "phone"
info = "0800 12"
link = "tel:080012"
hours = "24/7"
languages = ["fr"]
source = "https://example.org"
verified_at = 2026-11-22
"""


def ids(rows: tuple[Helpline, ...]) -> list[str]:
    return [row.id for row in rows]


def choose(
    country: str | None, *types: CrisisType, at: datetime = NOON, **asked: object
) -> tuple[Helpline, ...]:
    return helplines_for(country=country, types=types, at=at, **asked)  # type: ignore[arg-type]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    return path


# --- what is shipped ---------------------------------------------------------------------------------


@pytest.mark.parametrize("country", FACTS_COUNTRIES)
def test_every_promised_country_has_a_line_at_all_hours_and_an_emergency_number(country: str) -> None:
    rows = [row for row in HELPLINES if row.country == country]
    assert any(row.emergency for row in rows)
    assert any(
        row.hours == "24/7" and not row.emergency and not row.types and not row.audience for row in rows
    )


def test_every_country_with_a_line_has_exactly_one_emergency_number() -> None:
    for country in COUNTRIES:
        assert sum(row.emergency for row in HELPLINES if row.country == country) == 1, country


def test_every_row_names_its_source_and_a_day_that_has_been() -> None:
    for row in HELPLINES:
        assert row.source.startswith("https://") or row.source.startswith("http://"), row.id
        assert row.verified_at <= date.today(), row.id


def test_resources_keep_short_codes_as_they_are_dialled() -> None:
    shown = {row.id: row.resource() for row in HELPLINES}
    assert (shown["res_us_988_phone"].info, shown["res_us_988_phone"].link) == ("988", "tel:988")
    assert shown["res_us_crisis_text_line_text"].link == "sms:741741?&body=HOME"
    assert shown["res_gb_samaritans_phone"].info == "116 123"


def test_resource_says_when_a_line_is_open() -> None:
    hours = {row.id: row.resource().hours for row in HELPLINES}
    assert hours["res_us_988_phone"] == "24/7"
    assert hours["res_at_telefonseelsorge_chat"] == "16:00-23:00 (Europe/Vienna)"


# --- choosing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*CRISIS_TYPES, None])
@pytest.mark.parametrize("imminent", [False, True])
def test_everybody_is_shown_an_emergency_number_and_somebody_to_talk_to(
    kind: CrisisType | None, imminent: bool
) -> None:
    for country in [*COUNTRIES, None, "PE"]:
        rows = choose(country, *([kind] if kind else []), imminent=imminent)
        assert 2 <= len(rows) <= 6
        assert rows[0 if imminent else -1].emergency
        assert any(not row.emergency for row in rows)


def test_imminent_danger_puts_the_emergency_number_first() -> None:
    assert ids(choose("US", "suicidal_ideation", imminent=True))[:2] == [
        "res_us_emergency_911_phone",
        "res_us_988_phone",
    ]


def test_player_without_country_gets_the_lines_of_the_united_states() -> None:
    assert choose(None) == choose("US")


def test_unknown_country_gets_the_local_emergency_number_and_the_directory() -> None:
    assert ids(choose("PE")) == ["res_zz_findahelpline_website", "res_zz_emergency_phone"]


def test_country_with_only_an_emergency_number_gets_the_directory_too() -> None:
    assert ids(choose("IT")) == ["res_zz_findahelpline_website", "res_it_emergency_112_phone"]


def test_line_for_the_type_comes_first_and_the_general_ones_follow() -> None:
    shown = ids(choose("US", "abuse"))
    assert shown[0] == "res_us_domestic_violence_phone"
    assert "res_us_988_phone" in shown


def test_general_lines_come_first_where_life_is_in_danger() -> None:
    shown = ids(choose("US", "substance_abuse", "suicidal_ideation"))
    assert shown[0] == "res_us_988_phone"
    assert shown.index("res_us_samhsa_phone") > shown.index("res_us_crisis_text_line_text")


def test_line_for_another_type_is_not_shown() -> None:
    assert "res_us_samhsa_phone" not in ids(choose("US", "panic_attack"))


def test_spanish_speakers_get_the_spanish_side_of_a_service_and_not_both() -> None:
    shown = ids(choose("US", "suicidal_ideation", language="es"))
    assert shown[0] == "res_us_988_es_phone"
    assert "res_us_988_phone" not in shown


def test_english_speakers_are_not_shown_the_spanish_side() -> None:
    assert not [name for name in ids(choose("US", "suicidal_ideation")) if "_es_" in name]


def test_country_without_a_line_in_the_players_language_still_shows_its_lines() -> None:
    assert "res_de_telefonseelsorge_111_phone" in ids(choose("DE", language="es"))


def test_line_for_some_comes_after_those_for_everybody() -> None:
    shown = ids(choose("GB"))
    assert shown.index("res_gb_childline_phone") > shown.index("res_gb_nhs_phone")


@pytest.mark.parametrize(("hour", "shown"), [(14, False), (15, True), (21, True), (22, False)])
def test_closed_line_is_left_out_by_its_own_clock(hour: int, shown: bool) -> None:
    at = datetime(2026, 11, 23, hour, 30, tzinfo=UTC)  # Vienna is an hour ahead
    assert ("res_at_telefonseelsorge_chat" in ids(choose("AT", at=at))) is shown


def test_hours_past_midnight_belong_to_the_day_they_began() -> None:
    row = Helpline.model_validate(
        {
            "country": "AT", "key": "night", "name": "Night", "method": "phone", "info": "1", "link": "tel:1",
            "hours": ("fri-sun 22:00-02:00",), "timezone": "UTC", "languages": ("de",),
            "source": "https://example.org", "verified_at": date(2026, 11, 22),
        }
    )  # fmt: skip
    monday_one = datetime(2026, 11, 23, 1, tzinfo=UTC)
    assert row.is_open(monday_one)
    assert not row.is_open(monday_one + timedelta(hours=1))
    assert not row.is_open(monday_one + timedelta(hours=22))
    assert not row.is_open(monday_one + timedelta(days=1))


def test_choosing_is_quick_enough_for_the_path_of_a_crisis() -> None:
    started = datetime.now(UTC)
    for _ in range(1000):
        choose("US", "abuse", language="es")
    assert datetime.now(UTC) - started < timedelta(milliseconds=200)


# --- age ---------------------------------------------------------------------------------------------


def test_row_is_stale_after_twelve_months_and_not_before() -> None:
    row = HELPLINES[0]
    assert stale([row], row.verified_at + timedelta(days=365)) == ()
    assert stale([row], row.verified_at + timedelta(days=366)) == (row,)


# --- broken files ------------------------------------------------------------------------------------


def test_sound_row_is_read(tmp_path: Path) -> None:
    assert ids(read(written(tmp_path, ROW))) == ["res_fr_ana_phone"]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('country = "FR"', 'country = "France"', "field country"),
        ('method = "phone"', 'method = "fax"', "field method:"),
        ('link = "tel:080012"', 'link = "sms:080012"', "field link: "),
        ('link = "tel:080012"', 'link = "tel:080021"', "field link: "),
        ('hours = "24/7"', 'hours = ["always"]', "field hours: "),
        ('hours = "24/7"', 'hours = ["mon-fri 09:00-18:00"]', "field timezone: "),
        ('hours = "24/7"', 'hours = ["foo-fri 09:00-18:00"]\ntimezone = "UTC"', "field hours: "),
        ('hours = "24/7"', 'hours = ["09:00-18:00"]\ntimezone = "Mars/Base"', "field timezone: "),
        ('hours = "24/7"', "", "field hours"),
        ('source = "https://example.org"', "", "field source"),
        ("verified_at = 2026-11-22", "", "field verified_at"),
        ('name = "Ana"', 'name = "Ana"\ntypes = ["sadness"]', "field types.0"),
        ('name = "Ana"', 'name = "Ana"\ncolour = "red"', "field colour"),
    ],
)
def test_broken_row_is_named_with_its_field(tmp_path: Path, old: str, new: str, field: str) -> None:
    with pytest.raises(HelplinesError, match=r"own\.toml: row 1 \(") as caught:
        read(written(tmp_path, ROW.replace(old, new)))
    assert field in str(caught.value)


def test_same_id_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HelplinesError, match="res_fr_ana_phone stands there twice"):
        read(written(tmp_path, ROW + ROW))


def test_unknown_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HelplinesError, match="unknown table 'helplines'"):
        read(written(tmp_path, ROW.replace("[[helpline]]", "[[helplines]]")))


@pytest.mark.parametrize("text", ["[[helpline]", "\udcff"])
def test_file_that_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(HelplinesError, match=r"own\.toml: "):
        read(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HelplinesError, match="nowhere"):
        read(tmp_path / "nowhere.toml")


def test_process_does_not_start_on_a_broken_file(tmp_path: Path) -> None:
    path = written(tmp_path, ROW.replace('method = "phone"', 'method = "fax"'))
    done = subprocess.run(
        [sys.executable, "-c", "import therapy.crisis.helplines"],
        env={"CRISIS_HELPLINES_FILE": str(path), "PYTHONPATH": str(Path(helplines.__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "row 1 (FR ana fax), field method" in done.stderr


# --- a portal's own lines ----------------------------------------------------------------------------


def test_portals_rows_come_first_and_replace_those_of_the_same_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ROW + ROW.replace('"ana"', '"3114"').replace('"Ana"', '"Ours"')
    monkeypatch.setenv("CRISIS_HELPLINES_FILE", str(written(tmp_path, own)))
    rows = [row for row in helplines.load() if row.country == "FR"]
    assert ids(tuple(rows))[:2] == ["res_fr_ana_phone", "res_fr_3114_phone"]
    assert [row.name for row in rows if row.id == "res_fr_3114_phone"] == ["Ours"]


def test_rows_without_a_fallback_for_any_country_are_refused() -> None:
    with pytest.raises(HelplinesError, match="country ZZ needs"):
        helplines._by_country([row for row in HELPLINES if row.country != "ZZ"])
