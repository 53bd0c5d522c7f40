"""A client's leaving: told once, to whoever listens, and not after the answer."""

import anyio
import pytest

from relay.adapters.inbound.http.asgi import Message
from relay.adapters.inbound.http.hangup import Beating, Departure, watch

pytestmark = pytest.mark.anyio


def test_the_listener_is_told_once() -> None:
    told: list[int] = []
    departure = Departure()
    departure.listen(lambda: told.append(1))
    departure.leave()
    departure.leave()
    assert (departure.happened, told) == (True, [1])


def test_a_later_listener_replaces_the_earlier() -> None:
    told: list[str] = []
    departure = Departure()
    departure.listen(lambda: told.append("first"))
    departure.listen(lambda: told.append("second"))
    departure.leave()
    assert told == ["second"]


def test_whoever_listens_after_the_leaving_is_told_at_once() -> None:
    told: list[int] = []
    departure = Departure()
    departure.leave()
    departure.listen(lambda: told.append(1))
    assert told == [1]


def test_leaving_after_the_answer_means_nothing() -> None:
    departure = Departure()
    departure.listen(lambda: pytest.fail("nobody left"))
    departure.settle()
    departure.leave()
    assert not departure.happened


class Beats:
    """A pulse that counts."""

    def __init__(self, every_s: float | None) -> None:
        self.count = 0
        self._every_s = every_s

    def due_in(self) -> float | None:
        return self._every_s

    async def beat(self) -> None:
        self.count += 1


async def test_the_watcher_tells_of_a_disconnect_and_ends() -> None:
    departure = Departure()

    async def receive() -> Message:
        await anyio.sleep(0.01)
        return {"type": "http.disconnect"}

    with anyio.fail_after(1):
        await watch(receive, departure)
    assert departure.happened


async def test_a_pulse_beats_whenever_it_is_due_and_no_more_once_stopped() -> None:
    beats = Beats(0.01)
    beating = Beating(beats, 0.01)
    with anyio.fail_after(1):
        while beats.count < 3:
            await anyio.sleep(0.005)
    beating.stop()
    count = beats.count
    await anyio.sleep(0.03)
    assert beats.count == count


async def test_a_beat_that_takes_its_time_is_not_overtaken_and_ends_with_the_stop() -> None:
    begun: list[int] = []

    class Slow(Beats):
        async def beat(self) -> None:
            begun.append(1)
            await anyio.sleep(5)
            self.count += 1

    slow = Slow(0.005)
    beating = Beating(slow, 0.005)
    await anyio.sleep(0.05)
    beating.stop()
    await anyio.sleep(0)
    assert (len(begun), slow.count) == (1, 0)


async def test_a_message_other_than_a_disconnect_is_not_one() -> None:
    departure = Departure()
    messages: list[Message] = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}]
    seen: list[bool] = []

    async def receive() -> Message:
        seen.append(departure.happened)
        return messages.pop(0)

    await watch(receive, departure)
    assert seen == [False, False]
    assert departure.happened
