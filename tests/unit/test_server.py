from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys

import pytest

from chat.server import ChatProtocol, spare_collector


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


def test_worker_process_can_be_started_before_django_is_set_up():
    """It is handed its configuration, which names the protocol class, before it loads the application."""
    config = pickle.dumps(ChatProtocol)
    code = f"import pickle; print(pickle.loads({config!r}).__name__)"
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "ChatProtocol"
