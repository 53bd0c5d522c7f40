"""Requests to Cohere: conversations put its way, settings within its bounds, and what is lost."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.cohere_v2 import DIALECT
from relay.adapters.dialects.cohere_v2.options import BOUNDS
from relay.domain.chat import (
    Audio,
    ChatRequest,
    File,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    NamedTool,
    Part,
    Reasoning,
    Refusal,
    Role,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from relay.domain.errors import InvalidRequest, Unsupported

LOOK = ToolCall(id="c-1", name="look", arguments='{"at":1.50}')
LOOKING = ToolSpec(name="look")
FEELING = ToolSpec(name="feel", strict=True)


def turn(role: Role, *parts: Part) -> Message:
    return Message(role=role, parts=parts)


HI = turn("user", Text(text="hi"))


def asked(*messages: Message, **settings: Any) -> ChatRequest:
    return ChatRequest(model=settings.pop("model", "command-a-plus"), messages=messages or (HI,), **settings)


def sent(*messages: Message, **settings: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(DIALECT.encode_request(asked(*messages, **settings)).body)
    return {name: value for name, value in body.items() if name not in ("model", "stream")}


def losses(*messages: Message, **settings: Any) -> tuple[str, ...]:
    return DIALECT.encode_request(asked(*messages, **settings)).losses


def test_the_body_says_always_whether_it_streams() -> None:
    for stream in (True, False):
        wire = DIALECT.encode_request(asked(stream=stream))
        assert wire.path == "/v2/chat"
        assert json.loads(wire.body)["stream"] is stream


def test_messages_keep_their_order_and_developers_are_the_system() -> None:
    told = sent(turn("developer", Text(text="one")), HI, turn("system", Text(text="two"), Text(text="three")))
    assert told["messages"] == [
        {"role": "system", "content": "one"},
        {"role": "user", "content": "hi"},
        {"role": "system", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": "three"}]},
    ]


def test_what_is_said_before_calls_is_a_plan() -> None:
    own = Thinking(text="hm", origin="cohere.v2")
    [_, message, result] = sent(
        HI,
        turn("assistant", Text(text="I will "), own, Text(text="look."), LOOK),
        turn("tool", ToolResult(call_id="", name="look", parts=(Text(text="seen"),), is_error=True)),
    )["messages"]
    assert message == {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "hm"}],
        "tool_plan": "I will look.",
        "tool_calls": [
            {"id": "c-1", "type": "function", "function": {"name": "look", "arguments": '{"at":1.50}'}}
        ],
    }
    assert result == {"role": "tool", "content": "seen", "tool_call_id": "c-1"}
    failed = ToolResult(call_id="c-1", name="look", parts=(), is_error=True)
    assert losses(HI, turn("assistant", LOOK), turn("tool", failed)) == ("tool_result.is_error",)


def test_thinking_of_others_and_what_has_no_word_stays_out() -> None:
    foreign = Thinking(text="hm", signature="s", origin="anthropic.messages")
    told = (
        turn("user", Text(text="hi"), File(url="https://x/a.pdf"), Audio(data="a", format="wav")),
        turn("assistant", foreign, Refusal(text="no")),
        turn("user", File(url="https://x/b.pdf")),
    )
    assert sent(*told)["messages"] == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "no"},
    ]
    assert losses(*told) == ("thinking.signature", "file", "audio", "thinking", "refusal")


def test_a_file_in_a_result_is_lost_and_nothing_is_said_to_follow() -> None:
    shown = ToolResult(call_id="c-1", name="look", parts=(File(data="YQ==", media_type="text/plain"),))
    [_, _, result] = sent(HI, turn("assistant", LOOK), turn("tool", shown))["messages"]
    assert result == {"role": "tool", "content": "", "tool_call_id": "c-1"}
    assert losses(HI, turn("assistant", LOOK), turn("tool", shown)) == ("file",)


def test_pictures_are_addresses_or_data_and_those_in_results_follow() -> None:
    picture = Image(data="iVBORw0KGgo=")
    shown = ToolResult(call_id="c-1", name="look", parts=(picture,))
    told = sent(
        turn("user", Image(url="https://x/a", detail="low")), turn("assistant", LOOK), turn("tool", shown)
    )["messages"]
    assert told[0]["content"] == [{"type": "image_url", "image_url": {"url": "https://x/a", "detail": "low"}}]
    assert told[2]["content"], "an empty result is refused"
    assert told[3]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    ]


@pytest.mark.parametrize(
    ("choice", "word", "names"),
    [
        (None, None, ["look", "feel"]),
        ("auto", None, ["look", "feel"]),
        ("none", "NONE", ["look", "feel"]),
        ("required", "REQUIRED", ["look", "feel"]),
        (NamedTool(name="feel"), "REQUIRED", ["feel"]),
        (NamedTool(name="other"), "REQUIRED", ["look", "feel"]),
    ],
)
def test_a_tool_that_must_be_called_is_the_only_one(choice: Any, word: str | None, names: list[str]) -> None:
    told = sent(tools=(LOOKING, FEELING), tool_choice=choice)
    assert told.get("tool_choice") == word
    assert [tool["function"]["name"] for tool in told["tools"]] == names
    assert "tool_choice" not in sent(tool_choice=choice)


def test_tools_are_strict_together_or_not_at_all() -> None:
    assert sent(tools=(FEELING,))["strict_tools"] is True
    assert "strict_tools" not in sent(tools=(LOOKING, FEELING))
    assert losses(tools=(LOOKING, FEELING)) == ("tools.strict",)
    assert losses(tools=(FEELING,)) == ()
    assert losses(tools=(LOOKING,), parallel_tool_calls=False) == ("parallel_tool_calls",)


def test_json_is_asked_for_by_the_bare_schema() -> None:
    assert sent(output=JsonObject())["response_format"] == {"type": "json_object"}
    schema = JsonSchema(schema='{"type":"object"}', name="n", strict=True, description="d")
    assert sent(output=schema)["response_format"] == {
        "type": "json_object",
        "json_schema": {"type": "object"},
    }
    assert losses(output=schema) == ("output.description",)


@pytest.mark.parametrize(("name", "bounds"), BOUNDS.items())
def test_settings_are_brought_within_the_bounds(name: str, bounds: tuple[float, float]) -> None:
    word = {"top_p": "p"}.get(name, name)
    lowest, highest = bounds
    for value, kept in ((lowest - 1, lowest), (lowest, lowest), (highest, highest), (highest + 1, highest)):
        settings: dict[str, Any] = {name: value}
        sampling = Sampling(**settings)
        assert sent(sampling=sampling)[word] == kept
        assert losses(sampling=sampling) == (() if value == kept else (name,))


def test_settings_without_a_word_are_lost() -> None:
    sampling = Sampling(
        min_p=0.1,
        repeat_penalty=1.1,
        seed=-1,
        top_k=1000,
        top_logprobs=3,
        logprobs=True,
        max_output_tokens=9,
        stop=("a", "", "b", "c", "d", "e", "f"),
    )
    told = sent(sampling=sampling)
    told.pop("messages")
    assert told == {"k": 500, "logprobs": True, "max_tokens": 9, "stop_sequences": ["a", "b", "c", "d", "e"]}
    assert losses(sampling=sampling) == ("top_k", "seed", "min_p", "repeat_penalty", "top_logprobs", "stop")


@pytest.mark.parametrize(
    ("model", "reasoning", "thinking", "lost"),
    [
        ("command-a-reasoning", Reasoning(), {"type": "enabled"}, ()),
        ("command-a-reasoning", Reasoning(effort="none"), {"type": "disabled"}, ()),
        ("command-a-reasoning", Reasoning(effort="low"), {"type": "enabled", "token_budget": 2048}, ()),
        ("command-a-reasoning", Reasoning(effort="max"), {"type": "enabled"}, ()),
        ("command-a-reasoning", Reasoning(budget_tokens=5), {"type": "enabled", "token_budget": 5}, ()),
        ("command-r7b-12-2024", Reasoning(effort="none"), None, ()),
        ("command-r7b-12-2024", Reasoning(effort="low"), None, ("reasoning.effort",)),
        ("command-a-03-2025", Reasoning(budget_tokens=5), None, ("reasoning.budget_tokens",)),
    ],
)
def test_thinking_is_a_budget_and_asked_only_of_what_thinks(
    model: str, reasoning: Reasoning, thinking: Any, lost: tuple[str, ...]
) -> None:
    assert sent(model=model, reasoning=reasoning).get("thinking") == thinking
    assert losses(model=model, reasoning=reasoning) == lost


def test_more_than_one_answer_is_refused() -> None:
    with pytest.raises(Unsupported):
        DIALECT.encode_request(asked(choice_count=2))


def test_fields_of_its_own_go_back_and_those_of_others_are_lost() -> None:
    body = (
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],"documents":[{"n":1.50}],"priority":null}'
    )
    request = DIALECT.decode_request(body)
    assert request.extras == {"cohere.v2": {"documents": '[{"n":1.50}]'}}
    assert b'"documents":[{"n":1.50}]' in DIALECT.encode_request(request).body
    assert losses(extras={"openai.chat": {"store": "true"}}, user="u") == ("user", "openai.chat:store")


def test_a_citable_result_says_what_its_data_say() -> None:
    documents = [
        {"type": "document", "document": {"data": {"title": "T"}}},
        {"type": "document", "document": {"data": "plain"}},
        {"type": "document", "document": {}},
    ]
    message = {"role": "tool", "tool_call_id": "c-1", "content": documents}
    [read] = DIALECT.decode_request(json.dumps({"model": "m", "messages": [message]}).encode()).messages
    [result] = read.parts
    assert isinstance(result, ToolResult)
    assert result.parts == (Text(text='{"title": "T"}'), Text(text="plain"))


@pytest.mark.parametrize(
    "message",
    [
        {"role": "nobody", "content": "hi"},
        {"role": "user", "content": [{"type": "image_url"}]},
        {"role": "assistant", "tool_calls": [{"id": "c"}]},
        {"role": "user", "content": 5},
        {"content": "hi"},
    ],
)
def test_what_is_no_message_is_refused(message: Any) -> None:
    with pytest.raises(InvalidRequest):
        DIALECT.decode_request(json.dumps({"model": "m", "messages": [message]}).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"model":"m"}', b'{"model":"m","messages":[]}'])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        DIALECT.decode_request(body)


def test_content_of_an_unknown_kind_is_told() -> None:
    message = {"role": "user", "content": [{"type": "video"}]}
    with pytest.raises(Unsupported, match="video"):
        DIALECT.decode_request(json.dumps({"model": "m", "messages": [message]}).encode())
