"""The client's end of an answer: order, ends, clients that are gone and clients that take nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import pytest

from relay.adapters.inbound.http.asgi import Message
from relay.adapters.inbound.http.hangup import Departure
from relay.adapters.inbound.http.outlet import Head, Outlet, no_abort
from tests.unit.inbound_http.sent import Sent

pytestmark = pytest.mark.anyio


def outlet(sent: Sent, *, stall_s: float = 5.0, abort: Callable[[], None] = no_abort) -> Outlet:
    return Outlet(sent, Departure(), stall_s=stall_s, abort=abort)


def start() -> Head:
    return Head(200, b"a: b\r\n", None)


async def test_the_head_goes_before_the_first_part_and_only_there() -> None:
    sent = Sent()
    out = outlet(sent)
    await out.put(start, b"one")
    await out.put(start, b"two", last=True)
    assert [message["type"] for message in sent.messages] == [
        "http.response.start",
        "http.response.body",
        "http.response.body",
    ]
    assert sent.is_complete
    assert (out.status, out.started, out.ended) == (200, True, True)


async def test_nothing_follows_the_last_part() -> None:
    sent = Sent()
    out = outlet(sent)
    await out.put(start, b"all", last=True)
    await out.put(start, b"more")
    await out.put(start, b"", last=True)
    assert sent.parts == [b"all"]


async def test_nothing_is_sent_to_a_client_that_left() -> None:
    sent = Sent()
    out = outlet(sent)
    out.departure.leave()
    await out.put(start, b"one")
    await out.put(start, b"two", last=True)
    assert sent.messages == []


async def test_a_send_that_fails_is_a_departure_and_no_error() -> None:
    async def gone(message: Message) -> None:
        raise OSError("gone")

    out = outlet(Sent(before=gone))
    await out.put(start, b"one")
    assert out.departure.happened
    assert not out.started


async def test_a_failing_last_send_is_no_departure() -> None:
    """The answer was complete: the books say so already."""

    async def gone(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise OSError("gone")

    out = outlet(Sent(before=gone))
    await out.put(start, b"all", last=True)
    assert out.ended
    assert not out.departure.happened


async def test_two_senders_take_turns() -> None:
    order: list[str] = []

    async def slow(message: Message) -> None:
        order.append(f"begin {message['type'][14:]}")
        await anyio.sleep(0.01)
        order.append(f"end {message['type'][14:]}")

    out = outlet(Sent(before=slow))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(out.put, start, b"one")
        tasks.start_soon(out.put, start, b"two")
    assert order == ["begin start", "end start", *["begin body", "end body"] * 2]


async def test_a_client_that_takes_no_last_part_is_cut() -> None:
    aborted: list[int] = []

    async def stuck(message: Message) -> None:
        await anyio.sleep_forever()

    out = outlet(Sent(before=stuck), stall_s=0.02, abort=lambda: aborted.append(1))
    with anyio.fail_after(1):
        await out.put(start, b"all", last=True)
    assert aborted == [1]
    assert out.departure.happened


async def test_a_cancelled_head_may_still_be_sent_later() -> None:
    """A head that was never handed over must not be taken for one that has left."""
    hold = anyio.Event()

    async def held(message: Message) -> None:
        await hold.wait()

    sent = Sent(before=held)
    out = outlet(sent)
    with anyio.move_on_after(0.01):
        await out.put(start, b"one")
    assert not out.started
    hold.set()
    await out.put(start, b"error", last=True)
    assert [message["type"][14:] for message in sent.messages] == ["start", "body"]


async def test_it_tells_since_when_a_send_is_waiting() -> None:
    seen: list[float | None] = []
    sent = Sent()
    out = outlet(sent)

    async def look(message: Message) -> None:
        seen.append(out.sending_since)

    sent.before = look
    await out.put(start, b"one")
    assert all(since is not None for since in seen)
    assert out.sending_since is None


@dataclass
class Direct:
    """A connection of our own server; `room` says whether its client takes anything."""

    room: bool = True
    sent: list[object] = field(default_factory=list)

    def is_writable(self) -> bool:
        return self.room

    def begin(self, status: int, lines: bytes, length: int | None) -> None:
        self.sent.append((status, lines, length))

    def put(self, body: bytes, *, is_last: bool) -> None:
        self.sent.append((body, is_last))


async def test_where_the_server_takes_bytes_at_once_no_message_is_sent() -> None:
    sent, direct = Sent(), Direct()
    out = Outlet(sent, Departure(), direct=direct)
    assert out.put_now(start, b"one")
    await out.put(start, b"two", last=True)
    assert direct.sent == [(200, b"a: b\r\n", None), (b"one", False), (b"two", True)]
    assert sent.messages == []
    assert (out.status, out.started, out.ended) == (200, True, True)


async def test_a_slow_client_is_waited_for_by_messages() -> None:
    sent, direct = Sent(), Direct()
    out = Outlet(sent, Departure(), direct=direct)
    await out.put(start, b"one")
    direct.room = False
    assert not out.put_now(start, b"two")
    await out.put(start, b"two")
    direct.room = True
    await out.put(start, b"three", last=True)
    assert direct.sent == [(200, b"a: b\r\n", None), (b"one", False), (b"three", True)]
    assert sent.parts == [b"two"]


async def test_nothing_is_put_directly_to_a_client_that_left() -> None:
    direct = Direct()
    out = Outlet(Sent(), Departure(), direct=direct)
    out.departure.leave()
    assert out.put_now(start, b"one")
    assert direct.sent == []
