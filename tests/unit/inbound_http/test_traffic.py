"""What is in flight, and how it is ended."""

import asyncio

import anyio
import pytest

from relay.adapters.inbound.http.traffic import LiveCall, Traffic

pytestmark = pytest.mark.anyio


async def test_places_are_taken_up_to_the_limit_and_given_back() -> None:
    traffic = Traffic(max_in_flight=2)
    assert [traffic.enter(), traffic.enter(), traffic.enter()] == [True, True, False]
    traffic.leave()
    assert traffic.enter()
    assert traffic.in_flight == 2


async def test_emptiness_is_waited_for() -> None:
    traffic = Traffic()
    await traffic.emptied()
    traffic.enter()
    traffic.enter()
    traffic.leave()
    with anyio.move_on_after(0.02) as waiting:
        await traffic.emptied()
    assert waiting.cancelled_caught
    traffic.leave()
    with anyio.fail_after(1):
        await traffic.emptied()


class Working:
    """A live call that notes how it ended."""

    def __init__(self, traffic: Traffic) -> None:
        self.ended = ""
        self.call: LiveCall | None = None
        self._traffic = traffic

    async def __call__(self) -> None:
        self.call = self._traffic.begin()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if not self.call.was_interrupted():
                self.ended = "cancelled"
                raise
            await asyncio.sleep(0)  # an interrupted call goes on to write its books
            self.ended = "interrupted"
        finally:
            self._traffic.finish(self.call)


async def started(work: Working) -> asyncio.Task[None]:
    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    return task


async def test_an_interrupted_call_goes_on_and_ends_by_itself() -> None:
    traffic = Traffic()
    work = Working(traffic)
    task = await started(work)
    traffic.interrupt()
    traffic.interrupt()
    await task
    assert work.ended == "interrupted"


async def test_a_call_the_server_cancels_is_not_interrupted() -> None:
    work = Working(Traffic())
    task = await started(work)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.ended == "cancelled"


async def test_a_call_that_is_interrupted_and_cancelled_is_cancelled() -> None:
    traffic = Traffic()
    work = Working(traffic)
    task = await started(work)
    traffic.interrupt()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.ended == "cancelled"


async def test_a_call_that_is_over_is_not_reached() -> None:
    traffic = Traffic()
    traffic.finish(traffic.begin())
    traffic.interrupt()
    await asyncio.sleep(0.01)
