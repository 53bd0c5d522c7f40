"""Responses, as the checklist of the OpenAI routes has it: from its clients to providers of four families."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.conformance.asking import TEXT, error_of
from tests.conformance.conftest import Place, relay_with
from tests.conformance.wire import Answer, Api
from tests.support.declarations import SCHEMA, WEATHER
from tests.support.official_clients import openai_client
from tests.support.pictures import png
from tests.support.process import run_cli
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

FAMILIES = ("rsp", "grok", "up", "ant", "oll")
every_family = pytest.mark.parametrize("provider", FAMILIES)
either_way = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
_WEATHER: Any = WEATHER["function"]
FUNCTION: dict[str, Any] = {"type": "function", "strict": False, **_WEATHER}
MODELS = ["basic", "length", "echo", "tools", "think", "image", "schema"]


@pytest.fixture(scope="module")
def served(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A relay with a provider of each family, all of them the scripted one."""
    upstream = place.upstream
    own: dict[str, Any] = {"api_key": "sk-test", "models": MODELS}
    providers = {
        "rsp": {"kind": "openai-responses", "base_url": upstream.openai_url, **own},
        "grok": {"kind": "xai", "base_url": upstream.openai_url, **own},
        "up": {"kind": "openai-compatible", "base_url": upstream.openai_url, **own},
        "ant": {"kind": "anthropic", "base_url": upstream.base_url, **own},
        "oll": {"kind": "ollama", "base_url": upstream.base_url, "models": MODELS},
    }
    with relay_with(place, tmp_path_factory.mktemp("responses"), {"providers": providers}) as api:
        yield api


@pytest.fixture
def upstream(place: Place) -> ScriptedUpstream:
    place.upstream.reset()
    return place.upstream


def ask(api: Api, model: str, **members: Any) -> Answer:
    return api.post("/v1/responses", {"model": model, "input": "hi", **members})


def events_of(answer: Answer) -> list[Any]:
    """The events of a stream; each is named as its data says."""
    assert answer.status == 200
    frames = [frame for frame in answer.body.decode().split("\n\n") if frame and not frame.startswith(":")]
    told = [(lines[0], json.loads(lines[1].removeprefix("data: "))) for lines in map(str.splitlines, frames)]
    assert all(name == f"event: {event['type']}" for name, event in told)
    return [event for _, event in told]


def response_of(answer: Answer, *, stream: bool = False) -> Any:
    assert answer.status == 200
    return events_of(answer)[-1]["response"] if stream else answer.json


def text_of(response: Any) -> str:
    messages = [item for item in response["output"] if item["type"] == "message"]
    return "".join(part["text"] for item in messages for part in item["content"])


GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
CLOSE_AGENT = {"type": "function", "name": "close_agent", "strict": None, "parameters": None}
CODEX: dict[str, Any] = {
    "stream": True,
    "store": False,
    "instructions": None,
    "input": [
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "You are Codex."}],
        },
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
    ],
    "tools": [
        FUNCTION,
        {"type": "custom", "name": "apply_patch", "description": "Patches.", "format": GRAMMAR},
        {"type": "namespace", "name": "agents", "description": "d", "tools": [CLOSE_AGENT]},
        {"type": "web_search", "external_web_access": False},
        {"type": "local_shell"},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "thread-1",
    "client_metadata": {"x": "y"},
}


@pytest.mark.conformance("openai", 96)
@every_family
def test_codex_s_requests_are_served(served: Api, upstream: ScriptedUpstream, provider: str) -> None:
    told = events_of(ask(served, f"{provider}/basic", **CODEX))
    assert text_of(told[-1]["response"]) == TEXT
    assert "You are Codex." in json.dumps(upstream.ledger.chats[-1].body)


@pytest.mark.conformance("openai", 97)
@every_family
def test_tools_that_an_item_brings_reach_the_provider(
    served: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    brought = {"type": "additional_tools", "role": "developer", "tools": [FUNCTION]}
    said = response_of(ask(served, f"{provider}/tools", input=[brought, {"role": "user", "content": "hi"}]))
    if provider != "rsp":  # its bytes pass, and the script does not know such an item
        assert [item["name"] for item in said["output"]] == ["weather"]
    assert "weather" in json.dumps(upstream.ledger.chats[-1].body)


@pytest.mark.conformance("openai", 98)
@every_family
def test_items_and_tools_of_unknown_kinds_are_no_reason_to_refuse(served: Api, provider: str) -> None:
    conversation = [{"type": "item_of_next_month", "x": 1}, {"role": "user", "content": "hi"}]
    said = response_of(
        ask(served, f"{provider}/basic", input=conversation, tools=[{"type": "tool_of_next_month"}])
    )
    assert text_of(said) == TEXT


@pytest.mark.conformance("openai", 99)
@pytest.mark.conformance("ollama", 124)
@every_family
@pytest.mark.parametrize("script", ["basic", "think", "tools"])
def test_a_stream_has_its_events_in_order(served: Api, provider: str, script: str) -> None:
    told = events_of(ask(served, f"{provider}/{script}", stream=True, tools=[FUNCTION]))
    kinds = [event["type"].removeprefix("response.") for event in told]
    assert kinds[0] == "created"
    assert kinds[-1] == "completed"
    numbers = [event["sequence_number"] for event in told]
    assert numbers == sorted(set(numbers))
    if provider != "rsp":
        assert kinds[1] == "in_progress"
        assert numbers == list(range(len(told)))
    open_item = None
    for event, kind in zip(told, kinds, strict=True):
        if kind == "output_item.added":
            assert open_item is None
            open_item = event["output_index"]
        elif kind == "output_item.done":
            assert event["output_index"] == open_item
            open_item = None
        elif "output_index" in event:
            assert event["output_index"] == open_item


@pytest.mark.conformance("openai", 100)
@every_family
def test_openai_pythons_helper_gathers_text_items_and_usage(served: Api, provider: str) -> None:
    with (
        openai_client(served.url) as client,
        client.responses.stream(model=f"{provider}/think", input="hi") as stream,
    ):
        ids = {
            event.response.id
            for event in stream
            if event.type == "response.created" or event.type == "response.completed"
        }
        final = stream.get_final_response()
    assert final.output_text == TEXT
    assert [item.type for item in final.output] == ["reasoning", "message"]
    assert final.usage is not None
    assert final.usage.output_tokens == 7
    assert ids == {final.id}


@pytest.mark.conformance("openai", 101)
@every_family
@pytest.mark.parametrize("script", ["basic", "think", "tools?calls=2"])
def test_the_end_tells_the_items_again(served: Api, provider: str, script: str) -> None:
    told = events_of(ask(served, f"{provider}/{script}", stream=True, tools=[FUNCTION]))
    done = [event["item"] for event in told if event["type"] == "response.output_item.done"]
    assert done
    assert told[-1]["response"]["output"] == done


@pytest.mark.conformance("openai", 102, 90)
@every_family
@either_way
def test_usage_always_has_its_details(served: Api, provider: str, stream: bool) -> None:
    said = response_of(ask(served, f"{provider}/think", stream=stream), stream=stream)
    usage = said["usage"]
    assert isinstance(usage["input_tokens_details"]["cached_tokens"], int)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    counts_thoughts = provider != "oll"
    assert usage["output_tokens_details"]["reasoning_tokens"] == (3 if counts_thoughts else 0)


@pytest.mark.conformance("openai", 103)
@pytest.mark.parametrize("provider", ["up", "ant", "oll"])
@either_way
def test_grouped_and_custom_tools_come_back_as_they_were_declared(
    served: Api, provider: str, stream: bool
) -> None:
    for tool, kind in ((CODEX["tools"][2], "function_call"), (CODEX["tools"][1], "custom_tool_call")):
        answer = ask(served, f"{provider}/tools", stream=stream, tools=[tool], tool_choice="auto")
        (item,) = response_of(answer, stream=stream)["output"]
        assert item["type"] == kind
        if kind == "function_call":
            assert (item["name"], item["namespace"]) == ("close_agent", "agents")
        else:
            assert (item["name"], item["input"]) == ("apply_patch", "abc")


@pytest.mark.conformance("openai", 104)
@pytest.mark.parametrize("provider", ["rsp", "grok", "up", "ant"])
def test_a_picture_in_a_result_reaches_the_provider(
    served: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    picture = f"data:image/png;base64,{b64encode(png()).decode()}"
    conversation = [
        {"role": "user", "content": "look"},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [{"type": "input_text", "text": "seen"}, {"type": "input_image", "image_url": picture}],
        },
    ]
    said = response_of(ask(served, f"{provider}/image", input=conversation, tools=[FUNCTION]))
    if provider == "ant":
        (result,) = upstream.ledger.chats[-1].body["messages"][-1]["content"]
        assert [block["type"] for block in result["content"]] == ["text", "image"]
    else:
        assert text_of(said).startswith(f"image/png {len(png())} bytes")


@pytest.mark.conformance("openai", 105)
@every_family
def test_an_answer_cut_by_its_limit_is_incomplete(served: Api, provider: str) -> None:
    told = events_of(ask(served, f"{provider}/length", stream=True, max_output_tokens=2))
    assert told[-1]["type"] == "response.incomplete"
    assert told[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert told[-2]["type"] == "response.output_item.done"
    assert text_of(told[-1]["response"]) == TEXT[:8]


@pytest.mark.conformance("openai", 106)
@every_family
def test_a_failure_amid_a_stream_is_a_failed_response(served: Api, provider: str) -> None:
    code = "context_length_exceeded"
    model = f"{provider}/fault/error_event?after_chunks=2&code={code}"
    told = events_of(ask(served, model, stream=True))
    assert told[-1]["type"] == "response.failed"
    error = told[-1]["response"]["error"]
    assert error["message"]
    if provider not in ("ant", "oll"):  # theirs name no such code
        assert error["code"] == code


@pytest.mark.conformance("openai", 107)
@every_family
def test_a_loop_with_references_to_items_is_served(served: Api, provider: str) -> None:
    """As the Vercel AI SDK has it: `store` unset, text by reference, the call in full."""
    first = response_of(ask(served, f"{provider}/think"))
    second = response_of(ask(served, f"{provider}/tools", tools=[FUNCTION]))
    (call,) = [item for item in second["output"] if item["type"] == "function_call"]
    conversation = [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        *({"type": "item_reference", "id": item["id"]} for item in first["output"]),
        {key: call[key] for key in ("type", "call_id", "name", "arguments")},
        {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"},
    ]
    said = response_of(ask(served, f"{provider}/tools", input=conversation, tools=[FUNCTION]))
    assert text_of(said) == TEXT


@pytest.mark.conformance("openai", 108)
@every_family
@either_way
def test_nothing_is_kept_of_what_shall_not_be(
    served: Api, upstream: ScriptedUpstream, provider: str, stream: bool
) -> None:
    kept = response_of(ask(served, f"{provider}/basic", stream=stream), stream=stream)
    lost = response_of(ask(served, f"{provider}/basic", stream=stream, store=False), stream=stream)
    assert served.get(f"/v1/responses/{kept['id']}").json == kept
    assert served.get(f"/v1/responses/{lost['id']}").status == 404
    if provider in ("rsp", "grok"):
        assert [call.body["store"] for call in upstream.ledger.chats] == [False, False]


@pytest.mark.conformance("openai", 109)
def test_an_earlier_turn_that_is_not_the_caller_s_is_not_found(place: Place, tmp_path: Path) -> None:
    providers = {"up": {"kind": "openai-compatible", "base_url": place.upstream.openai_url, "models": MODELS}}
    keys = ["none", "none"]
    if place.relay is not None:
        keys = [run_cli("keys", "create", name, cwd=tmp_path).stdout.strip() for name in ("one", "two")]
    mine, theirs = ({"authorization": f"Bearer {key}"} for key in keys)
    body = {"model": "up/echo", "input": "hi"}
    with relay_with(place, tmp_path, {"providers": providers}) as api:
        first = api.post("/v1/responses", body, **mine).json
        for earlier, headers in (("resp_none", mine), (first["id"], theirs)):
            answer = api.post("/v1/responses", {**body, "previous_response_id": earlier}, **headers)
            assert answer.status == 400
            error = error_of(answer)
            assert (error["code"], error["param"]) == ("previous_response_not_found", "previous_response_id")
        assert api.post("/v1/responses", {**body, "previous_response_id": first["id"]}, **mine).status == 200


@pytest.mark.conformance("openai", 111)
@every_family
def test_a_schema_reaches_the_provider_in_its_own_words(
    served: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    asked = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
    said = response_of(ask(served, f"{provider}/schema", text=asked))
    assert json.loads(text_of(said)) == {"city": "abc"}
    body = upstream.ledger.chats[-1].body
    match provider:
        case "ant":
            told = body["output_config"]["format"]["schema"]
        case "oll":
            told = body["format"]
        case "up":
            told = body["response_format"]["json_schema"]["schema"]
        case _:
            told = body["text"]["format"]["schema"]
    assert told == SCHEMA


@pytest.mark.conformance("openai", 112)
@every_family
def test_every_way_to_write_the_input_is_taken(served: Api, provider: str) -> None:
    history = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "two", "annotations": []}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "three"}]},
    ]
    for given, last in (("one", "one"), (history[:1], "one"), (history, "three")):
        assert text_of(response_of(ask(served, f"{provider}/echo", input=given))) == last


@pytest.mark.conformance("openai", 72)
@every_family
def test_arguments_that_come_with_the_name_are_not_lost(served: Api, provider: str) -> None:
    told = events_of(ask(served, f"{provider}/tools?parts=at_once", stream=True, tools=[FUNCTION]))
    pieces = [event["delta"] for event in told if event["type"].endswith("arguments.delta")]
    (item,) = told[-1]["response"]["output"]
    assert "".join(pieces) == item["arguments"]
    assert json.loads(item["arguments"]) == {"city": "abc", "days": 1}


class Town(BaseModel):
    """What a client wants back."""

    city: str


@every_family
def test_openai_pythons_client_is_served(served: Api, provider: str) -> None:
    """Plain, parsed, a tool loop over what is kept, and what it makes of refusals."""
    with openai_client(served.url) as client:
        plain = client.responses.create(model=f"{provider}/basic", input="hi", instructions="Be brief.")
        assert plain.output_text == TEXT
        parsed = client.responses.parse(model=f"{provider}/schema", input="hi", text_format=Town)
        assert parsed.output_parsed == Town(city="abc")
        tools: Any = [FUNCTION]
        first = client.responses.create(model=f"{provider}/tools", input="hi", tools=tools)
        (call,) = [item for item in first.output if item.type == "function_call"]
        result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        second = client.responses.create(
            model=f"{provider}/tools", input=[result], tools=tools, previous_response_id=first.id
        )
        assert second.output_text == TEXT
        assert client.responses.retrieve(second.id).output_text == TEXT
        listed = client.responses.input_items.list(second.id, order="asc").data
        assert [item.type for item in listed] == ["message", "function_call", "function_call_output"]
        client.responses.delete(second.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(second.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.create(model="nobody/knows", input="hi")
