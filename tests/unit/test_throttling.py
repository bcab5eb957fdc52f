from __future__ import annotations

import pytest

from chat.throttling import Throttle


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def shift(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def throttle(settings, clock):
    settings.CHAT_RATE_LIMIT = "3/2second"
    return lambda: Throttle(clock)


def spend(throttle: Throttle, count: int) -> list[int | None]:
    return [throttle.retry_after_ms() for _ in range(count)]


def test_frames_up_to_the_limit_pass(throttle):
    assert spend(throttle(), 3) == [None, None, None]


def test_frame_over_the_limit_is_told_how_long_to_wait(throttle):
    found = throttle()
    spend(found, 3)
    assert 2000 <= found.retry_after_ms() <= 2001


def test_waiting_as_long_as_told_is_enough(throttle, clock):
    found = throttle()
    spend(found, 3)
    clock.shift(found.retry_after_ms() / 1000)
    assert found.retry_after_ms() is None


def test_wait_is_never_rounded_down(throttle, clock):
    found = throttle()
    spend(found, 3)
    clock.shift(0.0005)
    clock.shift(found.retry_after_ms() / 1000)
    assert found.retry_after_ms() is None


def test_window_moves_instead_of_starting_anew(throttle, clock):
    found = throttle()
    spend(found, 1)
    clock.shift(1.5)
    spend(found, 2)
    clock.shift(0.6)
    assert [wait is None for wait in spend(found, 2)] == [True, False]


def test_refused_frames_do_not_lengthen_the_wait(throttle, clock):
    found = throttle()
    spend(found, 20)
    clock.shift(2.001)
    assert found.retry_after_ms() is None


def test_connections_do_not_count_each_others_frames(throttle):
    spend(throttle(), 3)
    assert throttle().retry_after_ms() is None


def test_limit_comes_from_the_settings(settings, throttle):
    settings.CHAT_RATE_LIMIT = "1/minute"
    assert [wait is None for wait in spend(throttle(), 2)] == [True, False]


def test_default_lets_10_frames_through_in_2_seconds(clock):
    assert [wait is None for wait in spend(Throttle(clock), 11)] == [True] * 10 + [False]
