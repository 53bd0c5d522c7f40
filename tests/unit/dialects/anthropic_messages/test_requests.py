"""Requests of Anthropic's dialect: what a client's mean, and what is written for a provider."""

from base64 import b64encode
from typing import Any

import pytest

from relay.adapters.dialects.anthropic_messages import DIALECT, NAME
from relay.adapters.dialects.anthropic_messages.families import takes_system_messages
from relay.domain.chat import (
    Audio,
    ChatRequest,
    File,
    HostedTool,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from relay.domain.errors import InvalidRequest, Unsupported
from tests.unit.dialects.anthropic_messages.asked import (
    ASKED,
    HELLO,
    answered,
    call,
    decoded,
    encoded,
    losses,
    parts_of,
    turns,
)


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, Text(text="a", cache="5m")),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            Text(text="a", cache="1h"),
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iV"}},
            Image(data="iV", media_type="image/png"),
        ),
        ({"type": "image", "source": {"type": "url", "url": "https://x/y"}}, Image(url="https://x/y")),
        (
            {"type": "document", "title": "t",
             "source": {"type": "base64", "media_type": "application/pdf", "data": "JV"}},
            File(data="JV", media_type="application/pdf", filename="t"),
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ä"}},
            File(data=b64encode("ä".encode()).decode(), media_type="text/plain"),
        ),
        ({"type": "document", "source": {"type": "url", "url": "u"}}, File(url="u")),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, File(file_id="f")),
        (
            {"type": "tool_use", "id": "t", "name": "f", "input": {"n": 1.50}},
            ToolCall(id="t", name="f", arguments='{"n": 1.5}'),
        ),
        ({"type": "thinking", "thinking": "hm", "signature": "s"}, Thinking(text="hm", signature="s", origin=NAME)),
        ({"type": "thinking", "thinking": "hm", "signature": ""}, Thinking(text="hm")),
        ({"type": "redacted_thinking", "data": "d"}, Thinking(text="", sealed="d", origin=NAME)),
        (
            {"type": "search_result", "source": "s", "title": "t", "content": []},
            Opaque(origin=NAME, json='{"type": "search_result", "source": "s", "title": "t", "content": []}'),
        ),
        (
            {"type": "image", "source": {"type": "file", "file_id": "f"}},
            Opaque(origin=NAME, json='{"type": "image", "source": {"type": "file", "file_id": "f"}}'),
        ),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_block_means(block: Any, part: Part) -> None:
    assert parts_of(block, role="assistant") == (part,)


def test_a_number_in_a_calls_input_keeps_its_spelling() -> None:
    block = '{"type":"tool_use","id":"t","name":"f","input":{"n":1.50,"big":12345678901234567890}}'
    body = f'{{"model":"m","messages":[{{"role":"assistant","content":[{block}]}}]}}'
    [call] = DIALECT.decode_request(body.encode()).messages[0].parts
    assert isinstance(call, ToolCall)
    assert call.arguments == '{"n":1.50,"big":12345678901234567890}'
    written = DIALECT.encode_request(
        ChatRequest(model="m", messages=(Message(role="assistant", parts=(call,)),))
    )
    assert b'"input":{"n":1.50,"big":12345678901234567890}' in written.body


def test_a_result_is_told_its_tool_and_may_show_things() -> None:
    result = {
        "type": "tool_result", "tool_use_id": "t", "is_error": True,
        "content": [
            {"type": "text", "text": "a"},
            {"type": "tool_reference", "tool_name": "WebFetch"},
            {"type": "search_result", "title": "T", "source": "S", "content": [{"type": "text", "text": "b"}]},
        ],
    }  # fmt: skip
    request = decoded(
        messages=[
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {"role": "user", "content": [result]},
        ]
    )
    shown = (Text(text="a"), Text(text="The tool WebFetch can be called now."), Text(text="T\nS\nb"))
    assert request.messages[1].parts == (ToolResult(call_id="t", name="f", parts=shown, is_error=True),)
    assert set(request.extras[NAME]) == {"tool_result.tool_reference", "tool_result.search_result"}


def test_a_tool_that_waits_to_be_found_is_anthropics_until_it_is() -> None:
    deferred = {"name": "Grep", "input_schema": {"type": "object"}, "defer_loading": True}
    assert decoded(tools=[deferred]).hosted_tools == (
        HostedTool(
            origin=NAME, json='{"name": "Grep", "input_schema": {"type": "object"}, "defer_loading": true}'
        ),
    )
    found = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "tool_reference", "tool_name": "Grep"}],
    }
    request = decoded(tools=[deferred], messages=[*HELLO, {"role": "user", "content": [found]}])
    assert [tool.name for tool in request.tools] == ["Grep"]


def test_anthropics_own_tools_are_kept_as_they_are() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
    request = decoded(tools=[search], tool_choice={"type": "any"})
    assert request.tools == ()
    again = encoded(*request.messages, hosted_tools=request.hosted_tools, tool_choice=request.tool_choice)
    assert (again["tools"], again["tool_choice"]) == ([search], {"type": "any"})


@pytest.mark.parametrize(
    ("members", "reasoning"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, Reasoning(effort="none")),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Reasoning(budget_tokens=2000)),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, Reasoning()),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, Reasoning(effort="max")),
        ({"output_config": {"effort": "low"}}, Reasoning(effort="low")),
        ({"output_config": {"effort": "utmost"}}, None),
    ],
    ids=str,
)
def test_thinking_is_asked_for(members: Any, reasoning: Reasoning | None) -> None:
    assert decoded(**members).reasoning == reasoning


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, "thinking.display"),
        ({"output_config": {"effort": "utmost"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format"),
        ({"metadata": {"user_id": "u", "trace": 1}}, "metadata.trace"),
        ({"system": [{"type": "text", "text": "x-anthropic-billing-header: a"}]}, "system.attribution"),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "document", "source": {"type": "url", "url": "u"}, "citations": {"enabled": True}},
            ]}]},
            "document.citations",
        ),
        ({"tools": [{"name": "f", "input_schema": {}, "input_examples": [1]}]}, "tools.input_examples"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_has_no_place_is_told_as_lost(members: Any, name: str) -> None:
    assert name in DIALECT.encode_request(decoded(**members)).losses


def test_unknown_fields_are_written_back() -> None:
    request = decoded(service_tier="auto", context_management={"edits": []}, container=None)
    assert request.extras == {NAME: {"service_tier": '"auto"', "context_management": '{"edits": []}'}}
    assert encoded(*request.messages, extras=request.extras)["service_tier"] == "auto"


@pytest.mark.parametrize(
    "members",
    [
        {"model": ""},
        {"messages": []},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"text": "no type"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]},
        {"messages": [{"role": "user", "content": [7]}]},
        {"tool_choice": {"type": "sometimes"}, "tools": [{"name": "f", "input_schema": {}}]},
        {"temperature": "warm"},
        {"tools": [7]},
    ],
    ids=str,
)
def test_a_wrong_request_is_the_clients_fault(members: Any) -> None:
    with pytest.raises(InvalidRequest):
        decoded(**members)


def test_results_come_first_and_answer_the_turn_before() -> None:
    later = Message(role="user", parts=(Text(text="and?"),))
    told = turns(
        ASKED, Message(role="assistant", parts=(call("a"), call("b"))), answered("b"), later, answered("a")
    )
    assert [role for role, _ in told] == ["user", "assistant", "user"]
    assert [block.get("tool_use_id", block["type"]) for block in told[2][1]] == ["b", "a", "text"]


def test_a_call_that_nobody_answered_gets_a_result_that_says_so() -> None:
    told = turns(ASKED, Message(role="assistant", parts=(call("a"),)), ASKED)
    [result, text] = told[2][1]
    assert (result["tool_use_id"], result["is_error"], text["text"]) == ("a", True, "hi")
    assert turns(ASKED, Message(role="assistant", parts=(call("a"),)))[-1][0] == "assistant", (
        "not yet to be answered"
    )


def test_a_result_whose_call_was_cut_away_is_what_the_user_says() -> None:
    assert turns(answered("gone", "it rains"), ASKED) == [
        ("user", [{"type": "text", "text": "it rains"}, {"type": "text", "text": "hi"}])
    ]


def test_one_result_counts_of_several_for_one_call() -> None:
    told = turns(
        ASKED, Message(role="assistant", parts=(call("a"),)), answered("a", "one"), answered("a", "two")
    )
    assert [block["type"] for block in told[2][1]] == ["tool_result", "text"]


def test_instructions_in_the_middle_are_what_the_user_says_or_stay_where_a_family_takes_them() -> None:
    later = Message(role="developer", parts=(Text(text="be brief"),))
    wrapped = {"type": "text", "text": "<system>\nbe brief\n</system>"}
    assert turns(ASKED, later) == [("user", [{"type": "text", "text": "hi"}, wrapped])]
    assert turns(ASKED, later, model="claude-opus-5") == [("user", "hi"), ("system", "be brief")]
    assert encoded(later, ASKED)["system"] == "be brief"


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        ("claude-opus-5", True), ("claude-sonnet-5-5", True), ("claude-haiku-5-20270101", True),
        ("claude-opus-4-5", False), ("claude-3-5-haiku-20241022", False), ("claude-sonnet-4-6", False),
        ("deepseek-chat", False),
    ],
)  # fmt: skip
def test_a_family_takes_instructions_in_the_middle(model: str, takes: bool) -> None:
    assert takes_system_messages(model) == takes


def test_thoughts_go_back_under_their_own_seal_alone() -> None:
    own = Thinking(text="hm", signature="s", origin=NAME)
    sealed = Thinking(text="", sealed="d", origin=NAME)
    foreign = Thinking(text="so", sealed="e", origin="openai.responses")
    said = Message(role="assistant", parts=(own, sealed, foreign, Thinking(text="oh"), Text(text="a")))
    assert turns(ASKED, said)[1][1] == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "text", "text": "a"},
    ]
    assert losses(ASKED, said) == ("thinking.signature", "thinking")


def test_nothing_but_white_space_is_left_out() -> None:
    blank = Message(role="user", parts=(Text(text=" \n"),))
    refused = Message(role="assistant", parts=(Refusal(text="no"), Text(text="")))
    assert turns(blank, ASKED, refused, blank) == [("user", "hi"), ("assistant", "no")]
    with pytest.raises(Unsupported):
        encoded(blank, Message(role="user", parts=(Audio(data="UklGRg==", format="wav"),)))


def test_documents_are_pdfs_or_plain_texts() -> None:
    def source(file: File) -> Any:
        return encoded(Message(role="user", parts=(file,)))["messages"][0]["content"][0]["source"]

    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    assert source(File(data="data:application/pdf;base64,JVBERi0=")) == pdf
    assert source(File(data="JVBERi0=")) == pdf
    assert source(File(data="aGk=", media_type="text/csv")) == {
        "type": "text", "media_type": "text/plain", "data": "hi",
    }  # fmt: skip
    assert source(File(data="/w==", media_type="text/plain"))["type"] == "base64", "no text after all"
    assert source(File(url="u")) == {"type": "url", "url": "u"}


def test_four_caching_marks_are_kept_none_longer_than_one_before() -> None:
    marked = [Text(text=str(number), cache="1h" if number % 2 else "5m") for number in range(4)]
    body = encoded(
        Message(role="system", parts=(Text(text="s", cache="1h"),)),
        Message(role="user", parts=tuple(marked)),
        tools=(ToolSpec(name="f", cache="1h"),),
    )
    assert "cache_control" not in body["tools"][0]
    assert body["system"] == "s"
    assert [block["cache_control"] for block in body["messages"][0]["content"]] == [{"type": "ephemeral"}] * 4
