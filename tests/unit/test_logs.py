from __future__ import annotations

import json
import logging
import sys

import pytest
import structlog

from config.logs import ALLOWED_KEYS, LibraryFormatter, describe


def caught(text: str = "zanzibar") -> BaseException:
    try:
        raise KeyError(text)
    except KeyError as error:
        return error


def record(message: str, *args: object, error: BaseException | None = None) -> dict:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("django.request", logging.ERROR, "path", 1, message, args, info)
    return json.loads(LibraryFormatter().format(made))


def written(capfd, *args: object, **fields: object) -> dict:
    structlog.get_logger().error(*args, **fields)
    return json.loads(capfd.readouterr().out)


def test_line_is_one_json_object(capfd):
    line = written(capfd, "ws_connect", player_id="7")
    assert (line["event"], line["level"], line["player_id"]) == ("ws_connect", "error", "7")
    assert line["timestamp"].endswith("Z")


def test_keys_that_are_not_on_the_list_are_dropped(capfd):
    line = written(capfd, "message_in", text="zanzibar", token="zanzibar", user="zanzibar", bytes=5)
    assert "zanzibar" not in str(line)
    assert line["bytes"] == 5


@pytest.mark.parametrize("key", ["text", "token", "user", "username", "content", "body", "query", "email"])
def test_list_has_no_key_for_words_or_names(key):
    assert key not in ALLOWED_KEYS


@pytest.mark.parametrize("form", ["error", "tuple", "true"])
def test_exception_is_class_and_place_without_its_text(capfd, form):
    error = caught()
    if form == "true":
        try:
            raise error
        except KeyError:
            line = written(capfd, "turn_failed", exc_info=True)
    else:
        given = error if form == "error" else (type(error), error, error.__traceback__)
        line = written(capfd, "turn_failed", exc_info=given)
    assert line["exception"] == "builtins.KeyError"
    assert "test_logs.py:" in line["where"]
    assert "zanzibar" not in str(line)


def test_exception_that_was_never_raised_has_no_place():
    assert describe(ValueError("zanzibar")) == ("builtins.ValueError", "")


def test_library_line_is_its_template_without_what_fills_it():
    line = record("Not Found: %s", "/zanzibar")
    assert (line["event"], line["logger"], line["level"]) == ("Not Found: %s", "django.request", "error")


def test_library_line_is_cut_at_its_first_line():
    assert (
        record("Task exception was never retrieved\nfuture: zanzibar")["event"]
        == "Task exception was never retrieved"
    )


def test_library_line_is_bounded():
    assert len(record("x" * 5000)["event"]) == 200


def test_library_exception_is_class_and_place():
    line = record("Internal Server Error: %s", "/", error=caught())
    assert line["exception"] == "builtins.KeyError"
    assert "zanzibar" not in str(line)


@pytest.mark.parametrize("message", ["", "\n", "\r\n"])
def test_empty_library_message_is_no_failure(message):
    assert record(message)["event"] == ""


def test_message_that_is_no_string_is_no_failure():
    assert record(ValueError("x"))["level"] == "error"  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["uvicorn.access", "django.channels.server", "django.server"])
def test_access_logs_which_hold_queries_go_nowhere(name):
    found = logging.getLogger(name)
    assert not found.propagate
    assert not found.handlers


def test_lines_go_to_standard_output(capfd):
    structlog.get_logger().info("ws_connect")
    assert sys.stdout is not None
    assert "ws_connect" in capfd.readouterr().out
