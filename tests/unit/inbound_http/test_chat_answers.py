"""The chat routes over the real use case: what a client that asks well gets."""

import json
from typing import Any

import pytest

from relay.application.ports import Piece
from relay.domain.catalog import Catalog, Pool, ProviderEntry
from relay.domain.errors import Overloaded
from relay.domain.events import PartDelta, PartStarted
from tests.support.asgi import call
from tests.support.fakes_chat import TapeBackend
from tests.unit.inbound_http.chatting import OLLAMA, OPENAI, RELAY_HEADERS, body, both, both_ways
from tests.unit.inbound_http.listener import (
    HELLO,
    MODELS,
    listening,
    ollama_body,
    openai_body,
)

pytestmark = pytest.mark.anyio


@both_ways
async def test_a_whole_openai_answer(hot_in_front: bool) -> None:
    listener = listening(hot_in_front=hot_in_front)
    answer = await call(listener.api, "POST", OPENAI, body=body(OPENAI))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert said["choices"][0]["message"]["content"] == "Hello"
    assert said["model"] == "up/basic"
    assert said["usage"]["total_tokens"] == 14
    assert set(answer.headers) >= RELAY_HEADERS
    assert answer.headers["x-relay-resolved-by"] == "prefix"
    assert "total;dur=" in answer.headers["server-timing"]


@both_ways
async def test_a_whole_ollama_answer(hot_in_front: bool) -> None:
    listener = listening(hot_in_front=hot_in_front)
    answer = await call(listener.api, "POST", OLLAMA, body=body(OLLAMA, "BASIC:latest"))
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    said = answer.json()
    assert said["message"]["content"] == "Hello"
    assert said["model"] == "BASIC:latest"
    assert (said["done"], said["done_reason"], said["eval_count"]) == (True, "stop", 2)
    assert set(answer.headers) >= RELAY_HEADERS


@both_ways
@both
async def test_a_stream_arrives_piece_by_piece(path: str, hot_in_front: bool) -> None:
    tape = (*HELLO[:2], 0.15, *HELLO[2:])
    listener = listening(TapeBackend(tape), hot_in_front=hot_in_front)
    answer = await call(listener.api, "POST", path, body=body(path, stream=True))
    first, *_, last = answer.chunks
    assert last.at_s - first.at_s > 0.1
    assert set(answer.headers) >= RELAY_HEADERS
    assert "content-length" not in answer.headers
    expected = "text/event-stream" if path == OPENAI else "application/x-ndjson"
    assert answer.headers["content-type"].startswith(expected)
    assert all(chunk.data.endswith(b"\n") for chunk in answer.chunks)


async def test_an_ollama_client_streams_unless_it_says_otherwise() -> None:
    for stream in ({}, {"stream": None}, {"stream": True}):
        body = json.dumps(ollama_body(**stream)).encode()
        answer = await call(listening().api, "POST", OLLAMA, body=body)
        lines = [json.loads(line) for line in answer.body.splitlines()]
        assert len(lines) >= 2
        assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
        assert "".join(line["message"]["content"] for line in lines) == "Hello"


async def test_an_openai_client_does_not_stream_unless_it_says_so() -> None:
    answer = await call(listening().api, "POST", OPENAI, body=json.dumps(openai_body()).encode())
    assert answer.json()["object"] == "chat.completion"


@pytest.mark.parametrize(
    "content_type", ["application/octet-stream", "text/plain", "multipart/form-data", None]
)
@both
async def test_the_content_type_is_not_looked_at(path: str, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await call(listening().api, "POST", path, headers=headers, body=body(path))
    assert answer.status == 200


@pytest.mark.parametrize("spelling", ["/{}", "{}/", "//{}//", "{}?beta=true&key=x"])
@both
async def test_a_path_may_be_spelled_as_clients_spell_it(path: str, spelling: str) -> None:
    answer = await call(listening().api, "POST", spelling.format(path), body=body(path))
    assert answer.status == 200


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "x-goog-api-key"])
@both
async def test_a_key_is_taken_from_each_header(path: str, header: str) -> None:
    listener = listening(mode="keys")
    key = listener.keys.issue("team")
    value = f"Bearer {key}" if header == "authorization" else key
    answer = await call(listener.api, "POST", path, headers={header: value}, body=body(path))
    assert answer.status == 200
    assert listener.books.started[0].context.key_name == "team"
    assert listener.lines[0].key == "team"
    assert key not in repr(listener.lines)


async def test_tags_and_the_callers_address_reach_the_ledger() -> None:
    listener = listening()
    headers = {
        "authorization": "Bearer alice,project:x",
        "x-relay-tags": "team:web",
        "x-proxy-tag": "env:prod",
        "x-forwarded-for": "203.0.113.9",
    }
    await call(listener.api, "POST", OPENAI, headers=headers, body=body(OPENAI, "up/basic@job:7"))
    (started,) = listener.books.started
    assert {str(tag) for tag in started.context.tags} == {
        "tag:alice",
        "project:x",
        "team:web",
        "env:prod",
        "job:7",
    }
    assert started.context.client == "127.0.0.1"
    assert started.request_id == listener.lines[0].request_id


async def test_the_second_target_answers_when_the_first_fails() -> None:
    catalog = Catalog(
        providers=(
            ProviderEntry(name="down", kind="ollama", models=MODELS),
            ProviderEntry(name="up", kind="ollama", models=MODELS),
        ),
        virtuals=(Pool(name="fast", targets=("down/basic", "up/basic")),),
    )
    down = TapeBackend(before=(Overloaded("busy"),))
    listener = listening(catalog=catalog, others={"down": down})
    answer = await call(listener.api, "POST", OPENAI, body=body(OPENAI, "fast", stream=True))
    assert answer.status == 200
    assert answer.headers["x-relay-provider"] == "up"
    assert answer.headers["x-relay-attempts"] == "2"
    assert answer.headers["x-relay-resolved-by"] == "pool"
    assert b"[DONE]" in answer.body


async def test_losses_are_told() -> None:
    listener = listening(TapeBackend(HELLO, losses=("top_k", "min p\r\nx: y")))
    answer = await call(listener.api, "POST", OPENAI, body=body(OPENAI))
    assert answer.headers["x-relay-losses"] == "top_k,min_p__x:_y"


@pytest.mark.parametrize(
    ("more", "reason"),
    [({}, "load"), ({"keep_alive": "5m"}, "load"), ({"keep_alive": 0}, "unload"), ({"stream": True}, "load")],
)
async def test_loading_is_answered_without_a_provider(more: dict[str, Any], reason: str) -> None:
    listener = listening()
    without: list[dict[str, Any]] = [{}, {"messages": []}, {"messages": None}]
    for nothing in without:
        sent = json.dumps({"model": "basic", **nothing, **more}).encode()
        answer = await call(listener.api, "POST", OLLAMA, body=sent)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        said = answer.json()
        assert set(said) == {"model", "created_at", "message", "done", "done_reason"}
        assert said["message"] == {"role": "assistant", "content": ""}
        assert (said["model"], said["done"], said["done_reason"]) == ("basic", True, reason)
        assert set(answer.headers) >= RELAY_HEADERS
        assert listener.backend.calls == []


async def test_loading_what_is_unknown_or_cannot_chat_is_refused_as_chatting_is() -> None:
    for model, status in (("zzz", 404), ("up/emb", 400)):
        answer = await call(listening().api, "POST", OLLAMA, body=json.dumps({"model": model}).encode())
        assert answer.status == status


async def test_a_chat_without_messages_is_no_load_for_an_openai_client() -> None:
    listener = listening()
    sent = json.dumps({"model": "up/basic", "messages": []}).encode()
    answer = await call(listener.api, "POST", OPENAI, body=sent)
    assert b"done_reason" not in answer.body


async def test_raw_bytes_of_the_same_dialect_pass_untouched() -> None:
    part = PartStarted(index=0, kind="text"), PartDelta(index=0, text="x")
    tape = (
        Piece(events=part, raw=b'data: {"odd" :1}\n\n'),
        Piece(events=(), raw=b"data: [DONE]\n\n", last=True),
    )
    answer = await call(listening(TapeBackend(tape)).api, "POST", OPENAI, body=body(OPENAI, stream=True))
    assert [chunk.data for chunk in answer.chunks] == [b'data: {"odd" :1}\n\n', b"data: [DONE]\n\n"]
