"""The scripted upstream runs beside a synchronous test, in a thread or in a process, ledger and all."""

import http.client
import json
from pathlib import Path

import pytest

from tests.support.upstream import (
    ScriptedUpstream,
    everything_ended,
    read_ledger,
    running_upstream,
    totals_of,
    upstream_process,
)
from tests.unit.support.asking import OLLAMA, OPENAI, request_body


def post(url: str, path: str, model: str, *, read: bool = True) -> bytes:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    connection.request("POST", path, json.dumps(request_body(path, model)))
    answer = connection.getresponse()
    body = answer.read() if read else b""
    answer.close()
    connection.close()
    return body


def test_a_thread_serves_while_the_test_blocks() -> None:
    with running_upstream() as up:
        assert post(up.base_url, OPENAI, "basic?chunks=2").endswith(b"data: [DONE]\n\n")
        assert post(up.base_url, OLLAMA, "basic?chunks=3")
        assert [call.tokens_out for call in up.ledger.wait(everything_ended)] == [2, 3]
        up.reset()
        assert up.ledger.calls == []
    with pytest.raises(ConnectionError):
        post(up.base_url, OPENAI, "basic")


def test_a_thread_can_be_given_its_upstream(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    with running_upstream(ScriptedUpstream(ledger_file=file)) as up:
        post(up.base_url, OPENAI, "basic")
        up.reset()
        post(up.base_url, OPENAI, "echo")
        [call] = up.ledger.wait(everything_ended)
    assert read_ledger(file) == [call]


def test_two_upstreams_cannot_share_a_port() -> None:
    with running_upstream() as up, pytest.raises(OSError, match="in use"):
        running_upstream(ScriptedUpstream(port=up.port)).__enter__()


def test_a_wait_that_is_not_met_in_time_is_an_error() -> None:
    with running_upstream() as up, pytest.raises(TimeoutError):
        up.ledger.wait(everything_ended, timeout_s=0.02)


def test_a_process_writes_its_ledger_to_a_file(tmp_path: Path) -> None:
    with upstream_process(tmp_path) as up:
        post(up.base_url, OPENAI, "basic?chunks=2")
        post(up.base_url, OLLAMA, "basic?chunks=1000&delay_ms=1000", read=False)
        up.server.terminate()
        whole, left = up.chats
    assert (whole.tokens_out, whole.completed, whole.model) == (2, True, "basic?chunks=2")
    assert (left.completed, left.ended_at is not None) == (False, True)
    assert totals_of([whole, left]).tokens_in == 4


def test_a_line_still_being_written_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    with running_upstream(ScriptedUpstream(ledger_file=file)) as up:
        post(up.base_url, OPENAI, "basic")
        up.ledger.wait(everything_ended)
    with file.open("a", encoding="ascii") as out:
        out.write('{"seq": 2, "conn')
    assert [call.seq for call in read_ledger(file)] == [1]
