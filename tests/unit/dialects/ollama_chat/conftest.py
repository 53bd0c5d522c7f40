"""A scene whose clock the test moves."""

import pytest

from relay.adapters.dialects.base import Scene
from tests.unit.dialects.ollama_chat.hand_clock import STARTED_NS, HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def scene(clock: HandClock) -> Scene:
    """A request received when the clock started; the client calls the model `basic`."""
    return Scene(id="r1", model="basic", created=1_787_338_102, started_ns=STARTED_NS, clock_ns=clock)
