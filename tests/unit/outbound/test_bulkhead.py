"""Room for so many calls and no more."""

import anyio
import pytest

from relay.adapters.outbound.http.bulkhead import Bulkhead
from relay.domain.errors import Overloaded

pytestmark = pytest.mark.anyio


async def test_a_place_is_given_at_once_while_there_is_room() -> None:
    bulkhead = Bulkhead(2, wait_s=0.0)
    await bulkhead.enter()
    await bulkhead.enter()
    bulkhead.leave()
    await bulkhead.enter()


async def test_the_one_too_many_is_refused_after_the_wait() -> None:
    bulkhead = Bulkhead(1, wait_s=0.1)
    await bulkhead.enter()
    began = anyio.current_time()
    with pytest.raises(Overloaded) as raised:
        await bulkhead.enter()
    assert anyio.current_time() - began >= 0.1
    assert raised.value.code == "provider_busy"
    assert raised.value.provider_status == 0


async def test_a_place_that_comes_free_is_given_to_who_waits() -> None:
    bulkhead = Bulkhead(1, wait_s=2.0)
    await bulkhead.enter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bulkhead.enter)
        await anyio.sleep(0.02)
        bulkhead.leave()


async def test_one_who_stops_waiting_takes_no_place() -> None:
    bulkhead = Bulkhead(1, wait_s=2.0)
    await bulkhead.enter()
    for _ in range(20):
        with anyio.move_on_after(0.001):
            await bulkhead.enter()
    bulkhead.leave()
    await bulkhead.enter()


def test_it_can_be_made_before_any_loop_runs() -> None:
    bulkhead = Bulkhead(1)
    anyio.run(bulkhead.enter)
