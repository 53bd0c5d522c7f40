"""Reading a body: sizes, pace, and clients that leave."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import anyio
import pytest

from relay.adapters.inbound.http.asgi import Message, Receive
from relay.adapters.inbound.http.body import read_body
from relay.adapters.inbound.http.errors import ClientLeft
from relay.domain.errors import InvalidRequest, TooLarge

pytestmark = pytest.mark.anyio


def scope(**headers: str) -> dict[str, Any]:
    return {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}


def sender(
    parts: Iterable[bytes], pause_s: float = 0.0, *, leaves: bool = False
) -> tuple[Receive, list[int]]:
    """A client that sends these parts, and the sizes of those that were taken."""
    taken: list[int] = []

    async def messages() -> AsyncIterator[Message]:
        left = list(parts)
        while left:
            part = left.pop(0)
            await anyio.sleep(pause_s)
            taken.append(len(part))
            yield {"type": "http.request", "body": part, "more_body": bool(left) or leaves}
        if leaves:
            yield {"type": "http.disconnect"}
        await anyio.sleep_forever()

    stream = messages()
    return stream.__anext__, taken


async def test_a_body_in_one_part_is_taken_as_it_is() -> None:
    receive, _ = sender([b'{"a":1}'])
    assert await read_body(scope(), receive, 100) == b'{"a":1}'


async def test_a_body_in_many_parts_is_joined() -> None:
    receive, _ = sender([b"a", b"", b"bc", b"d"])
    assert await read_body(scope(), receive, 4) == b"abcd"


async def test_an_absent_body_is_empty() -> None:
    receive, _ = sender([b""])
    assert await read_body(scope(), receive, 4) == b""


async def test_a_declared_size_over_the_limit_is_refused_unread() -> None:
    receive, taken = sender([b"x" * 5])
    with pytest.raises(TooLarge):
        await read_body(scope(content_length="5"), receive, 4)
    assert taken == []


async def test_a_received_size_over_the_limit_is_refused_at_once() -> None:
    receive, taken = sender([b"xxx"] * 100)
    with pytest.raises(TooLarge):
        await read_body(scope(transfer_encoding="chunked"), receive, 4)
    assert taken == [3, 3]


async def test_a_body_of_exactly_the_limit_is_taken() -> None:
    receive, _ = sender([b"xxxx"])
    assert await read_body(scope(content_length="4"), receive, 4) == b"xxxx"


async def test_a_client_that_leaves_within_its_body_is_noticed() -> None:
    receive, _ = sender([b"x"], leaves=True)
    with pytest.raises(ClientLeft):
        await read_body(scope(), receive, 4)


async def test_a_body_that_never_comes_is_a_request_timeout() -> None:
    receive, _ = sender([b"x"], pause_s=5.0)
    with pytest.raises(InvalidRequest) as refused:
        await read_body(scope(), receive, 4, grace_s=0.02)
    assert refused.value.status == 408


async def test_a_body_that_trickles_is_cut_though_every_part_is_in_time() -> None:
    receive, _ = sender([b"x"] * 1000, pause_s=0.01)
    with anyio.fail_after(1), pytest.raises(InvalidRequest) as refused:
        await read_body(scope(), receive, 5000, grace_s=0.1)
    assert refused.value.status == 408


async def test_a_long_body_at_a_fair_pace_may_take_longer_than_the_grace() -> None:
    receive, _ = sender([b"x" * 1024] * 6, pause_s=0.02)
    assert len(await read_body(scope(), receive, 10_000, grace_s=0.05)) == 6144


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate"])
async def test_a_compressed_body_is_refused(encoding: str) -> None:
    receive, taken = sender([b"x"])
    with pytest.raises(InvalidRequest) as refused:
        await read_body(scope(content_encoding=encoding), receive, 4)
    assert refused.value.status == 415
    assert taken == []


async def test_the_identity_encoding_is_none() -> None:
    receive, _ = sender([b"x"])
    assert await read_body(scope(content_encoding="identity"), receive, 4) == b"x"
