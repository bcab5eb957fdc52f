from __future__ import annotations

import gc

import pytest
from websockets.frames import Frame, Opcode

from chat.server import spare_collector, text_frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_text_frame_is_what_the_library_would_send(length):
    payload = b"x" * length
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


@pytest.fixture
def collector():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
def test_what_was_loaded_at_the_start_is_not_looked_through_again():
    spare_collector()
    assert gc.get_freeze_count() > 10_000
    assert gc.isenabled()
