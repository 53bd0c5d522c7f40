"""Capabilities: only a known absence refuses a call."""

import pytest

from relay.domain.capabilities import CAPABILITIES, Capabilities, Capability, needed
from relay.domain.chat import (
    Audio,
    ChatRequest,
    Completion,
    Image,
    Message,
    Part,
    Reasoning,
    Text,
    ToolResult,
    ToolSpec,
)

TOOL = ToolSpec(name="look")
PICTURE = Image(data="AAAA")


def request(
    *parts: Part, tools: tuple[ToolSpec, ...] = (), reasoning: Reasoning | None = None
) -> ChatRequest:
    return ChatRequest(
        model="m", messages=(Message(role="user", parts=parts),), tools=tools, reasoning=reasoning
    )


@pytest.mark.parametrize(
    ("call", "beyond_completion"),
    [
        (request(Text(text="hi")), set()),
        (request(), set()),
        (request(Text(text="hi"), PICTURE), {"vision"}),
        (request(ToolResult(call_id="c", name="n", parts=(Text(text="x"), PICTURE))), {"vision"}),
        (request(ToolResult(call_id="c", name="n", parts=(Text(text="x"),))), set()),
        (request(Audio(data="AAAA", format="wav")), {"audio"}),
        (request(tools=(TOOL,)), {"tools"}),
        (request(reasoning=Reasoning()), {"thinking"}),
        (request(reasoning=Reasoning(effort="low")), {"thinking"}),
        (request(reasoning=Reasoning(budget_tokens=100)), {"thinking"}),
        (request(reasoning=Reasoning(effort="none")), set()),
        (request(PICTURE, tools=(TOOL,), reasoning=Reasoning()), {"vision", "tools", "thinking"}),
    ],
)
def test_a_call_needs_what_it_cannot_do_without(
    call: ChatRequest, beyond_completion: set[Capability]
) -> None:
    assert needed(call) == {"completion"} | beyond_completion


def test_tools_that_may_not_be_called_need_no_tools() -> None:
    call = ChatRequest(model="m", messages=(), tools=(TOOL,), tool_choice="none")
    assert needed(call) == {"completion"}


@pytest.mark.parametrize(
    ("completion", "needs"),
    [
        (Completion(suffix="}"), {"completion", "insert"}),
        (Completion(suffix="}", raw=True), {"completion", "insert"}),
        (Completion(raw=True), {"completion"}),
    ],
)
def test_filling_in_the_middle_needs_a_model_that_inserts(
    completion: Completion, needs: set[Capability]
) -> None:
    assert needed(ChatRequest(model="m", messages=(), completion=completion)) == needs


def test_what_a_provider_never_spoke_of_is_not_absent() -> None:
    unknown = Capabilities()
    assert not any(unknown.lacks(capability) for capability in CAPABILITIES)


def test_a_known_model_lacks_what_it_does_not_list() -> None:
    known = Capabilities(offered=frozenset({"completion", "tools"}), known=True)
    assert [word for word in CAPABILITIES if known.lacks(word)] == [
        "vision", "thinking", "embedding", "insert", "audio",
    ]  # fmt: skip


def test_a_listing_has_one_order_whatever_the_set() -> None:
    assert Capabilities(offered=frozenset({"thinking", "tools", "completion"})).listed() == (
        "completion",
        "tools",
        "thinking",
    )
