from __future__ import annotations

import gc

import pytest

from chat.server import spare_collector


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
