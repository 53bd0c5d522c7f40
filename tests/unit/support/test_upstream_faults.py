"""The scripted upstream's faults do what their names say, streamed and whole, in both wire formats."""

import asyncio
import gzip
import json
import time
from typing import Any

import pytest

from tests.support.raw_http import RawConnection, connected
from tests.support.upstream import ScriptedUpstream, everything_ended
from tests.support.upstream.scripts import FAULTS
from tests.unit.support.asking import BOTH, OLLAMA, OPENAI, TOOLS, ask, ask_on, request_body

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
ODD = {"id": "odd", "object": "chat.completion.chunk"}
WAYS = [(path, stream) for path in BOTH for stream in (True, False)]
in_every_way = pytest.mark.parametrize(("path", "stream"), WAYS)


@in_every_way
@pytest.mark.parametrize("status", [401, 429, 500, 503, 529])
async def test_a_status_is_answered_in_the_shape_of_the_format(
    upstream: ScriptedUpstream, path: str, stream: bool, status: int
) -> None:
    got = await ask(upstream, path, f"fault/{status}?retry_after=2&message=no%20way", stream=stream)
    assert (got.head.status, got.head.headers["retry-after"]) == (status, "2")
    error = got.last["error"]
    assert (error if path == OLLAMA else error["message"]) == "no way"
    [call] = upstream.ledger.chats
    assert (call.tokens_in, call.tokens_out, call.completed) == (0, 0, False)
    assert (call.status, call.error) == (status, f"fault/{status}")


async def test_the_first_calls_of_a_name_fail_and_then_it_works(upstream: ScriptedUpstream) -> None:
    statuses = [(await ask(upstream, OPENAI, "fault/503?times=2")).head.status for _ in range(4)]
    other_name = (await ask(upstream, OPENAI, "fault/503?times=1")).head.status
    upstream.reset()
    assert (statuses, other_name) == ([503, 503, 200, 200], 503)
    assert (await ask(upstream, OPENAI, "fault/503?times=2")).head.status == 503


async def test_calls_that_fail_by_chance_fail_alike_for_the_same_seed(upstream: ScriptedUpstream) -> None:
    async def statuses(seed: int) -> list[int]:
        upstream.reset()
        model = f"fault/500?p=0.5&seed={seed}"
        return [(await ask(upstream, OLLAMA, model)).head.status for _ in range(20)]

    first = await statuses(7)
    assert set(first) == {200, 500}
    assert first == await statuses(7) != await statuses(8)


@in_every_way
async def test_silent_never_answers(upstream: ScriptedUpstream, path: str, stream: bool) -> None:
    async with connected(upstream.base_url) as connection:
        await connection.send("POST", path, request_body(path, "fault/silent", stream=stream))
        assert not await connection.closed_by_peer(within_s=0.05)
    [call] = await upstream.ledger.reached(everything_ended)
    assert (call.status, call.tokens_in, call.bytes_sent) == (None, 2, 0)


async def test_silence_ends_with_a_close_when_it_has_lasted_long_enough() -> None:
    async with ScriptedUpstream(hold_s=0.05) as up, connected(up.base_url) as connection:
        await connection.send("POST", OPENAI, request_body(OPENAI, "fault/silent"))
        assert await connection.closed_by_peer()


@pytest.mark.parametrize("path", BOTH)
async def test_stall_stops_after_that_many_chunks(upstream: ScriptedUpstream, path: str) -> None:
    async with connected(upstream.base_url) as connection:
        await connection.send("POST", path, request_body(path, "fault/stall?after_chunks=2"))
        await connection.head()
        pieces = [await connection.piece() for _ in range(2 if path == OLLAMA else 3)]
        assert b"001 " in pieces[-1]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.piece(), 0.05)
    [call] = await upstream.ledger.reached(everything_ended)
    assert (call.chunks_sent, call.tokens_out, call.completed) == (2, 2, False)


@pytest.mark.parametrize("path", BOTH)
async def test_stall_can_leave_an_answer_in_the_middle_of_a_whole_body(
    upstream: ScriptedUpstream, path: str
) -> None:
    async with connected(upstream.base_url) as connection:
        await connection.send("POST", path, request_body(path, "fault/stall", stream=False))
        head = await connection.head()
        part = await connection.piece()
        assert 0 < len(part) < int(head.headers["content-length"])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.piece(), 0.05)


@in_every_way
async def test_stall_can_go_on_after_a_while(upstream: ScriptedUpstream, path: str, stream: bool) -> None:
    began = time.monotonic()
    got = await ask(upstream, path, "fault/stall?after_chunks=1&for_ms=50", stream=stream)
    assert time.monotonic() - began >= 0.05
    assert (got.text, got.ending) == ("000 001 002 003 ", "whole")
    assert upstream.ledger.chats[0].completed


@pytest.mark.parametrize("path", BOTH)
async def test_pings_show_life_without_content(upstream: ScriptedUpstream, path: str) -> None:
    async with connected(upstream.base_url) as connection:
        await connection.send("POST", path, request_body(path, "fault/pings?every_ms=5"))
        await connection.head()
        pieces = {await connection.piece() for _ in range(5)}
    assert pieces == {b"\n" if path == OLLAMA else b": ping\n\n"}
    [call] = await upstream.ledger.reached(everything_ended)
    assert call.chunks_sent == 0


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("chunks", [0, 3])
async def test_cut_closes_a_stream_without_a_finish(
    upstream: ScriptedUpstream, path: str, chunks: int
) -> None:
    got = await ask(upstream, path, f"fault/cut?after_chunks={chunks}")
    assert (got.ending, got.head.status) == ("cut", 200)
    assert got.text == "000 001 002 "[: 4 * chunks]
    assert not any(event.get("done") for event in got.events)
    [call] = upstream.ledger.chats
    assert (call.tokens_out, call.completed, call.peer_closed_at) == (chunks, False, None)


@pytest.mark.parametrize("path", BOTH)
async def test_cut_closes_within_a_whole_body(upstream: ScriptedUpstream, path: str) -> None:
    got = await ask(upstream, path, "fault/cut", stream=False)
    assert got.ending == "cut"
    assert 0 < len(got.body) < int(got.head.headers["content-length"])
    assert upstream.ledger.chats[0].tokens_out == 0


async def test_the_opening_chunk_can_come_before_a_cut_without_content(upstream: ScriptedUpstream) -> None:
    got = await ask(upstream, OPENAI, "fault/cut?after_chunks=0&opening=1")
    assert got.last["choices"][0]["delta"] == {"role": "assistant", "content": ""}


@in_every_way
@pytest.mark.parametrize("after_bytes", [0, 1, 40, 300])
async def test_reset_breaks_the_connection_after_that_many_bytes(
    upstream: ScriptedUpstream, path: str, stream: bool, after_bytes: int
) -> None:
    async with connected(upstream.base_url) as connection:
        model = f"fault/reset?after_bytes={after_bytes}"
        await connection.send("POST", path, request_body(path, model, stream=stream))
        assert await _bytes_until_reset(connection) == after_bytes
    [call] = upstream.ledger.chats
    assert (call.bytes_sent, call.completed) == (after_bytes, False)


async def _bytes_until_reset(connection: RawConnection) -> int:
    received = 0
    try:
        while data := await connection.reader.read(1000):
            received += len(data)
    except ConnectionResetError:
        return received
    raise AssertionError("the connection was closed, not reset")


async def test_reset_comes_after_an_answer_that_is_shorter(upstream: ScriptedUpstream) -> None:
    async with connected(upstream.base_url) as connection:
        got = await ask_on(connection, OPENAI, "fault/reset?after_bytes=1000000")
        assert got.ending == "whole"
        assert await connection.closed_by_peer()


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("chunks", [0, 2])
async def test_error_event_is_an_error_inside_a_good_stream(
    upstream: ScriptedUpstream, path: str, chunks: int
) -> None:
    got = await ask(upstream, path, f"fault/error_event?after_chunks={chunks}&message=oh&code=bad")
    assert (got.head.status, got.ending) == (200, "whole")
    assert got.text == "000 001 "[: 4 * chunks]
    error = got.last["error"]
    assert error == "oh" if path == OLLAMA else (error["message"], error["code"]) == ("oh", "bad")
    assert b"[DONE]" not in got.body
    assert len(got.events) == (1 if chunks == 0 else chunks + (1 if path == OLLAMA else 2))


@pytest.mark.parametrize("path", BOTH)
async def test_error_event_of_a_whole_answer_is_an_error_under_a_200(
    upstream: ScriptedUpstream, path: str
) -> None:
    got = await ask(upstream, path, "fault/error_event", stream=False)
    assert got.head.status == 200
    assert "error" in got.last


@in_every_way
async def test_html_is_no_json_at_all(upstream: ScriptedUpstream, path: str, stream: bool) -> None:
    got = await ask(upstream, path, "fault/html", stream=stream)
    assert (got.head.status, got.head.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert got.body.startswith(b"<!doctype html>")


@in_every_way
async def test_truncated_json_ends_in_the_middle_of_a_value(
    upstream: ScriptedUpstream, path: str, stream: bool
) -> None:
    got = await ask(upstream, path, "fault/truncated_json?after_chunks=1", stream=stream)
    assert got.ending == "whole"
    last_line = got.body.rstrip(b"\n").split(b"\n")[-1].removeprefix(b"data: ")
    assert last_line.startswith(b"{")
    with pytest.raises(json.JSONDecodeError):
        json.loads(last_line)


@in_every_way
@pytest.mark.parametrize("of", ["unicode", "tools"])
async def test_split_changes_the_writes_and_not_the_answer(
    upstream: ScriptedUpstream, path: str, stream: bool, of: str
) -> None:
    got = await ask(upstream, path, f"fault/split?n=1&of={of}", stream=stream, tools=TOOLS)
    unsplit = await ask(upstream, path, of, stream=stream, tools=TOOLS)
    assert (got.text, len(got.events), got.ending) == (unsplit.text, len(unsplit.events), "whole")
    first, second = upstream.ledger.chats
    assert first.writes == first.bytes_sent
    assert second.writes < 50
    assert first.tokens_out == second.tokens_out


@in_every_way
async def test_nousage_keeps_silent_about_the_counts(
    upstream: ScriptedUpstream, path: str, stream: bool
) -> None:
    got = await ask(upstream, path, "fault/nousage", stream=stream)
    assert "usage" not in got.last
    assert b"prompt_eval_count" not in got.body
    assert b"eval_count" not in got.body
    assert upstream.ledger.totals().tokens_out == 4


@in_every_way
@pytest.mark.parametrize(
    ("kind", "shown"),
    [("negative", -4), ("string", "4"), ("words", "many"), ("float", 4.5), ("huge", 10**18), ("null", None)],
)
async def test_badusage_misstates_the_counts(
    upstream: ScriptedUpstream, path: str, stream: bool, kind: str, shown: object
) -> None:
    got = await ask(upstream, path, f"fault/badusage?kind={kind}", stream=stream)
    counts = got.last if path == OLLAMA else got.last["usage"]
    assert counts["eval_count" if path == OLLAMA else "completion_tokens"] == shown
    assert upstream.ledger.totals().tokens_out == 4


async def test_an_unknown_way_to_misstate_usage_is_refused(upstream: ScriptedUpstream) -> None:
    assert (await ask(upstream, OPENAI, "fault/badusage?kind=nonesuch")).head.status == 400


async def test_usage_can_come_twice(upstream: ScriptedUpstream) -> None:
    got = await ask(upstream, OPENAI, "fault/usage_twice")
    assert [bool(event.get("usage")) for event in got.events[-3:]] == [False, True, True]


async def test_odd_chunks_are_put_between_good_ones(upstream: ScriptedUpstream) -> None:
    got = await ask(upstream, OPENAI, "fault/odd_chunks")
    odd = [event for event in got.events if event["id"] == "odd"]
    assert odd[:3] == [{**ODD, "choices": None}, ODD, {**ODD, "choices": []}]
    assert len(got.events) - len(odd) == 7


@in_every_way
async def test_longline_is_one_very_long_line(upstream: ScriptedUpstream, path: str, stream: bool) -> None:
    got = await ask(upstream, path, "fault/longline?mb=1", stream=stream)
    assert (got.text, got.ending) == ("0" * MIB, "whole")
    assert max(len(line) for line in got.body.split(b"\n")) > MIB
    assert upstream.ledger.totals().tokens_out == 1


@in_every_way
async def test_gzipbomb_grows_a_hundredfold(upstream: ScriptedUpstream, path: str, stream: bool) -> None:
    got = await ask(upstream, path, "fault/gzipbomb?mb=4", stream=stream)
    assert got.head.headers["content-encoding"] == "gzip"
    assert len(gzip.decompress(got.body)) > max(4 * MIB, 100 * len(got.body))


@in_every_way
async def test_nofinish_ends_cleanly_without_a_finish(
    upstream: ScriptedUpstream, path: str, stream: bool
) -> None:
    got = await ask(upstream, path, "fault/nofinish", stream=stream)
    assert (got.text, got.ending) == ("000 001 002 003 ", "whole")
    assert b"stop" not in got.body
    assert b"[DONE]" not in got.body
    assert not upstream.ledger.chats[0].completed


@pytest.mark.parametrize(("model", "times"), [("fault/no_done", 0), ("fault/two_done", 2), ("basic", 1)])
async def test_the_done_mark_can_be_missing_or_doubled(
    upstream: ScriptedUpstream, model: str, times: int
) -> None:
    got = await ask(upstream, OPENAI, model)
    assert got.body.count(b"data: [DONE]\n\n") == times
    assert upstream.ledger.chats[0].completed


async def test_slow_head_takes_its_time_over_the_head(upstream: ScriptedUpstream) -> None:
    async with connected(upstream.base_url) as connection:
        await connection.send("POST", OPENAI, request_body(OPENAI, "fault/slow_head?ms=100"))
        assert await connection.reader.readexactly(9) == b"HTTP/1.1 "
        began = time.monotonic()
        assert await connection.reader.readuntil(b"\r\n\r\n")
        assert time.monotonic() - began >= 0.05


async def test_big_head_carries_many_kilobytes(upstream: ScriptedUpstream) -> None:
    async with ScriptedUpstream() as up, connected(up.base_url) as connection:
        await connection.send("POST", OPENAI, request_body(OPENAI, "fault/big_head?kb=20"))
        assert sum(map(len, (await connection.head()).headers.values())) > 20_000


async def test_early_hints_come_before_the_answer(upstream: ScriptedUpstream) -> None:
    got = await ask(upstream, OPENAI, "fault/early_hints")
    assert (got.interim, got.head.status, got.text) == ([103], 200, "000 001 002 003 ")


@pytest.mark.parametrize("path", BOTH)
async def test_redirect_points_to_a_place_that_would_answer(upstream: ScriptedUpstream, path: str) -> None:
    got = await ask(upstream, path, "fault/redirect")
    assert (got.head.status, got.head.headers["location"]) == (307, f"/redirected{path}")
    assert (await ask(upstream, got.head.headers["location"], "basic", stream=False)).head.status == 200
    elsewhere = await ask(upstream, path, "fault/redirect?status=302&to=http://elsewhere.test/x")
    assert (elsewhere.head.status, elsewhere.head.headers["location"]) == (302, "http://elsewhere.test/x")


@in_every_way
async def test_keepalive_close_closes_right_after_a_good_answer(
    upstream: ScriptedUpstream, path: str, stream: bool
) -> None:
    async with connected(upstream.base_url) as connection:
        got = await ask_on(connection, path, "fault/keepalive_close", stream=stream)
        assert (got.text, got.ending) == ("000 001 002 003 ", "whole")
        assert "connection" not in got.head.headers
        assert await connection.closed_by_peer()
    assert upstream.ledger.chats[0].completed


@pytest.mark.parametrize("path", BOTH)
async def test_a_fault_can_be_done_to_any_script(upstream: ScriptedUpstream, path: str) -> None:
    got = await ask(upstream, path, "fault/cut?of=think&after_chunks=4")
    assert b"h02 " in got.body
    assert (got.text, got.ending) == ("000 ", "cut")


async def test_every_fault_answers_both_formats_without_an_error_of_its_own(
    upstream: ScriptedUpstream,
) -> None:
    small: dict[str, Any] = {"longline": "mb=1", "gzipbomb": "mb=1", "slow_head": "ms=10"}
    for path, stream in WAYS:
        for fault in sorted(set(FAULTS) - {"silent", "stall", "pings"}):
            async with connected(upstream.base_url) as connection:
                model = f"fault/{fault}?{small.get(fault, '')}"
                await connection.send("POST", path, request_body(path, model, stream=stream))
                await asyncio.gather(connection.reader.read(10), return_exceptions=True)
    calls = await upstream.ledger.reached(everything_ended)
    assert {call.error for call in calls} == {
        f"fault/{fault}" for fault in set(FAULTS) - {"silent", "stall", "pings"}
    }
