"""The routes of Responses: one turn in the shape its clients need, and going on from what is kept."""

import json
from typing import Any

import pytest

from relay.application.ports import Piece
from relay.domain.chat import Message, Opaque, Text, ToolCall, ToolResult
from relay.domain.errors import Interrupted, Limited
from relay.domain.events import (
    Finished,
    PartDelta,
    PartEnded,
    PartStarted,
    SignatureDelta,
    Started,
    UsageReported,
)
from relay.domain.usage import Usage
from tests.support.asgi import Answer, call
from tests.support.fakes_chat import TapeBackend
from tests.unit.inbound_http.listener import HELLO, Listener, listening

pytestmark = pytest.mark.anyio

PATH = "/v1/responses"
both_ways = pytest.mark.parametrize("hot_in_front", [True, False], ids=["in_front", "routed"])

CALLING = TapeBackend(
    [
        Piece(
            events=(
                Started(),
                PartStarted(index=0, kind="thinking", origin="anthropic.messages"),
                PartDelta(index=0, text="Hm."),
                SignatureDelta(index=0, text="c2VhbA=="),
                PartEnded(index=0),
                PartStarted(index=1, kind="tool_call", call_id="call_1", name="apply_patch"),
                PartDelta(index=1, text='{"input":"*** Begin'),
                PartDelta(index=1, text=' Patch"}'),
                PartEnded(index=1),
                PartStarted(index=2, kind="tool_call", call_id="call_2", name="agents__close_agent"),
                PartEnded(index=2),
                Finished(reason="tool_calls"),
            )
        ),
        Piece(events=(UsageReported(usage=Usage(input_tokens=9, output_tokens=7)),), last=True),
    ]
)
TOOLS = [
    {"type": "custom", "name": "apply_patch", "description": "Patches.", "format": {"type": "text"}},
    {
        "type": "namespace",
        "name": "agents",
        "tools": [{"type": "function", "name": "close_agent", "parameters": {}, "strict": False}],
    },
    {"type": "web_search"},
    {"type": "never_heard_of"},
]


async def ask(listener: Listener | None = None, /, *, key: str = "", **members: Any) -> Answer:
    """A turn, not streamed unless the members say so."""
    body = {"model": "up/basic", "input": "hi", **members}
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return await call(
        (listener or listening()).api, "POST", PATH, headers=headers, body=json.dumps(body).encode()
    )


async def at(listener: Listener, method: str, path: str, key: str = "") -> Answer:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return await call(listener.api, method, f"{PATH}/{path}", headers=headers)


def events(answer: Answer) -> list[dict[str, Any]]:
    """The events of a stream, their names checked."""
    *frames, rest = answer.body.decode().split("\n\n")
    assert rest == ""
    told = [(kind, json.loads(said.removeprefix("data: "))) for kind, said in (f.split("\n") for f in frames)]
    assert all(kind == f"event: {event['type']}" for kind, event in told)
    return [event for _, event in told]


def asked_of(listener: Listener) -> tuple[Message, ...]:
    """The conversation that the provider was last asked to go on with."""
    return listener.backend.calls[-1].original.decode().messages


def error_of(answer: Answer) -> tuple[int, dict[str, Any]]:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return answer.status, error


@both_ways
async def test_a_whole_answer_has_every_member_that_clients_read(hot_in_front: bool) -> None:
    answer = await ask(listening(hot_in_front=hot_in_front), instructions="Be brief.", temperature=0)
    said = answer.json()
    assert answer.status == 200
    assert (said["object"], said["status"], said["model"]) == ("response", "completed", "up/basic")
    assert said["output"][0]["content"] == [
        {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    ]
    assert said["usage"] == {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 14,
    }
    assert (said["instructions"], said["temperature"], said["top_p"]) == ("Be brief.", 0, None)
    assert said["text"]["format"] == {"type": "text"}
    assert said["id"].startswith("resp_")


@both_ways
async def test_a_stream_has_its_events_in_order(hot_in_front: bool) -> None:
    answer = await ask(listening(hot_in_front=hot_in_front), stream=True)
    told = events(answer)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [event["type"].removeprefix("response.") for event in told] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert told[0]["response"]["output"] == []
    assert told[-1]["response"]["output"] == [told[-2]["item"]]
    assert told[-1]["response"]["id"] == told[0]["response"]["id"]


async def test_custom_and_grouped_tools_come_back_as_they_were_declared() -> None:
    listener = listening(CALLING)
    reasoning, custom, grouped = (await ask(listener, tools=TOOLS)).json()["output"]
    assert reasoning["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert (custom["type"], custom["name"], custom["input"]) == (
        "custom_tool_call",
        "apply_patch",
        "*** Begin Patch",
    )
    assert (grouped["type"], grouped["name"], grouped["namespace"], grouped["arguments"]) == (
        "function_call",
        "close_agent",
        "agents",
        "{}",
    )
    asked = listener.backend.calls[0].original.decode()
    assert [tool.name for tool in asked.tools] == ["apply_patch", "agents__close_agent"]
    assert len(asked.hosted_tools) == 2


async def test_a_stream_of_a_custom_call_has_its_own_events() -> None:
    told = events(await ask(listening(CALLING), tools=TOOLS, stream=True))
    kinds = [event["type"] for event in told]
    assert "response.custom_tool_call_input.done" in kinds
    assert next(e for e in told if e["type"].endswith("input.delta"))["delta"] == "*** Begin Patch"


async def test_a_seal_that_the_client_sends_back_is_its_provider_s_again() -> None:
    listener = listening(CALLING)
    items = (await ask(listener, store=False)).json()["output"]
    await ask(listener, store=False, input=[{"role": "user", "content": "hi"}, *items])
    thinking = asked_of(listener)[1].parts[0]
    assert (thinking.text, thinking.signature, thinking.origin) == ("Hm.", "c2VhbA==", "anthropic.messages")  # type: ignore[union-attr]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_turn_goes_on_from_the_one_before(stream: bool) -> None:
    listener = listening()
    first = await ask(listener, input="one", stream=stream)
    before = events(first)[-1]["response"]["id"] if stream else first.json()["id"]
    second = (await ask(listener, input="two", previous_response_id=before)).json()
    assert [(m.role, m.parts[0]) for m in asked_of(listener)] == [
        ("user", Text(text="one")),
        ("assistant", Text(text="Hello")),
        ("user", Text(text="two")),
    ]
    await ask(listener, input="three", previous_response_id=second["id"])
    assert len(asked_of(listener)) == 5
    sent = json.loads(listener.backend.calls[-1].original.body)
    assert not any("id" in item for item in sent["input"]), "no provider knows ids that the relay has made"
    assert "previous_response_id" not in sent
    assert second["previous_response_id"] == before


async def test_items_are_found_by_their_references() -> None:
    listener = listening(CALLING)
    reasoning, call_item, _ = (await ask(listener)).json()["output"]
    conversation = [
        {"role": "user", "content": "hi"},
        {"type": "item_reference", "id": reasoning["id"]},
        {"id": call_item["id"]},
        {"type": "function_call_output", "call_id": "call_1", "output": "done"},
    ]
    assert (await ask(listener, input=conversation)).status == 200
    _, deeds, result = asked_of(listener)
    assert [type(part).__name__ for part in deeds.parts] == ["Thinking", "ToolCall"]
    assert isinstance(result.parts[0], ToolResult)
    assert result.parts[0].name == "apply_patch"


async def test_what_is_kept_is_told_and_forgotten() -> None:
    listener = listening()
    said = (
        await ask(listener, input=[{"role": "user", "content": "one"}, {"role": "user", "content": "two"}])
    ).json()
    assert (await at(listener, "GET", said["id"])).json() == said
    page = (await at(listener, "GET", f"{said['id']}/input_items")).json()
    assert [item["content"][0]["text"] for item in page["data"]] == ["two", "one"]
    assert (page["has_more"], page["first_id"]) == (False, page["data"][0]["id"])
    assert error_of(await at(listener, "POST", f"{said['id']}/cancel"))[0] == 400
    assert (await at(listener, "DELETE", said["id"])).json() == {
        "id": said["id"],
        "object": "response",
        "deleted": True,
    }
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")):
        status, error = error_of(await at(listener, method, f"{said['id']}{path}"))
        assert (status, error["type"]) == (404, "invalid_request_error")
        assert said["id"] in error["message"]


async def test_input_is_told_page_by_page() -> None:
    listener = listening()
    turns = [{"role": "user", "content": str(number)} for number in range(5)]
    said = (await ask(listener, input=turns)).json()
    first = (await at(listener, "GET", f"{said['id']}/input_items?order=asc&limit=2")).json()
    rest = (await at(listener, "GET", f"{said['id']}/input_items?order=asc&after={first['last_id']}")).json()
    texts = [item["content"][0]["text"] for page in (first, rest) for item in page["data"]]
    assert texts == ["0", "1", "2", "3", "4"]
    assert (first["has_more"], rest["has_more"]) == (True, False)


async def test_nothing_is_kept_of_a_turn_that_shall_not_be() -> None:
    listener = listening()
    said = (await ask(listener, store=False)).json()
    assert (await at(listener, "GET", said["id"])).status == 404
    assert said["store"] is False


@pytest.mark.parametrize("members", [{"stream": True}, {}])
async def test_an_unknown_earlier_turn_is_refused_in_openai_s_words(members: dict[str, Any]) -> None:
    status, error = error_of(await ask(previous_response_id="resp_none", **members))
    assert (status, error["code"], error["param"]) == (
        400,
        "previous_response_not_found",
        "previous_response_id",
    )


async def test_an_unknown_item_is_refused_by_its_id() -> None:
    status, error = error_of(await ask(input=[{"type": "item_reference", "id": "rs_none"}]))
    assert status == 404
    assert "rs_none" in error["message"]


async def test_another_key_s_turn_is_as_good_as_none() -> None:
    listener = listening(mode="keys")
    mine, theirs = listener.keys.issue("mine"), listener.keys.issue("theirs")
    said = (await ask(listener, key=mine)).json()
    assert (await at(listener, "GET", said["id"], mine)).status == 200
    assert (await at(listener, "GET", said["id"], theirs)).status == 404
    assert (await at(listener, "DELETE", said["id"], theirs)).status == 404
    assert (await ask(listener, key=theirs, previous_response_id=said["id"])).status == 400
    assert (await ask(listener, key=mine, previous_response_id=said["id"])).status == 200


async def test_an_answer_whose_bytes_pass_is_kept_too() -> None:
    response = {
        "id": "resp_theirs",
        "object": "response",
        "status": "completed",
        "output": [
            {
                "type": "message",
                "id": "msg_t",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Yo"}],
            }
        ],
    }
    end = (
        b'event: response.completed\ndata: {"type":"response.completed","response":%b}\n\n'
        % json.dumps(response).encode()
    )
    whole, streamed = (
        json.dumps(response).encode(),
        b'event: response.created\ndata: {"type":"response.created"}\n\n',
    )
    opening = Piece(events=(PartStarted(index=0, kind="text"),), raw=streamed)
    as_stream = [opening, Piece(events=(), raw=end, last=True)]
    as_whole = [Piece(events=(Finished(reason="stop"),), raw=whole, last=True)]
    for stream, tape in ((False, as_whole), (True, as_stream)):
        listener = listening(TapeBackend(tape))
        await ask(listener, stream=stream)
        assert (await at(listener, "GET", "resp_theirs")).json() == response
        await ask(listener, input="more", previous_response_id="resp_theirs")
        assert asked_of(listener)[1].parts == (Text(text="Yo"),)


async def test_what_the_relay_cannot_do_is_refused() -> None:
    for member, value in (("background", True), ("prompt", {"id": "pmpt_1"}), ("conversation", "conv_1")):
        members: dict[str, Any] = {member: value}
        status, error = error_of(await ask(**members))
        assert (status, error["param"]) == (400, member)
    assert error_of(await call(listening().api, "POST", PATH, body=b'{"model":"up/basic"}'))[0] == 400


async def test_a_failure_before_content_is_a_status_and_behind_it_a_failed_response() -> None:
    before = await ask(listening(TapeBackend(before=[Limited("slow down", retry_after_s=7)])), stream=True)
    assert (before.status, before.headers["retry-after"]) == (429, "7")
    broken = TapeBackend([*HELLO[:2], Interrupted("it broke off")])
    *_, last = events(await ask(listening(broken), stream=True))
    assert last["type"] == "response.failed"
    assert last["response"]["error"]["code"] == "upstream_stream_interrupted"
    listener = listening(broken)
    told = events(await ask(listener, stream=True))
    assert (await at(listener, "GET", told[0]["response"]["id"])).status == 404


async def test_items_of_kinds_nobody_knows_are_no_reason_to_refuse() -> None:
    listener = listening()
    conversation = [
        {"type": "additional_tools", "role": "developer", "tools": TOOLS[:1]},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": ""},
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [{"type": "input_text", "text": "seen"}],
        },
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "go on"}, {"type": "input_smell", "smell": 1}],
        },
    ]
    assert (await ask(listener, input=conversation, client_metadata={"a": "b"}, foo=1)).status == 200
    asked = listener.backend.calls[0].original.decode()
    assert [tool.name for tool in asked.tools] == ["apply_patch"]
    deeds, result, turn = asked.messages
    assert [type(part) for part in deeds.parts] == [Opaque, ToolCall]
    assert result.parts == (ToolResult(call_id="call_1", name="look", parts=(Text(text="seen"),)),)
    assert [type(part) for part in turn.parts] == [Text, Opaque]


async def test_a_request_for_one_of_the_small_routes_in_another_method_says_which_there_are() -> None:
    answer = await at(listening(), "PUT", "resp_1")
    assert answer.status == 405
    assert {"GET", "DELETE"} <= set(answer.headers["allow"].split(", "))


async def test_the_routes_are_there_without_v1_too() -> None:
    listener = listening()
    answer = await call(listener.api, "POST", "/responses", body=b'{"model":"up/basic","input":"hi"}')
    kept = await call(listener.api, "GET", f"/responses/{answer.json()['id']}")
    assert kept.json() == answer.json()
    assert "error" in (await call(listener.api, "GET", "/responses/resp_none")).json()
