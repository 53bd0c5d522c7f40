"""The settings of requests to Anthropic: sampling, thinking, limits, forms of answers, choices of tools."""

from typing import Any

import pytest

from relay.adapters.dialects.anthropic_messages import NAME
from relay.adapters.dialects.anthropic_messages.families import default_max_tokens
from relay.domain.chat import (
    JsonObject,
    JsonSchema,
    Message,
    NamedTool,
    Reasoning,
    Sampling,
    Thinking,
)
from relay.domain.errors import Unsupported
from tests.unit.dialects.anthropic_messages.asked import ASKED, TOOL, answered, call, encoded, losses


@pytest.mark.parametrize(
    ("asked", "body", "lost"),
    [
        ({"temperature": 1.5}, {"temperature": 1.0}, ("temperature",)),
        ({"temperature": 0.2, "top_p": 0.9}, {"temperature": 0.2}, ("top_p",)),
        ({"top_p": 0.9, "top_k": 5}, {"top_p": 0.9, "top_k": 5}, ()),
        ({"stop": ("a", " ")}, {"stop_sequences": ["a"]}, ("stop",)),
        ({"seed": 1, "logprobs": True}, {}, ("seed", "logprobs")),
    ],
    ids=str,
)
def test_sampling_is_what_anthropic_takes(asked: Any, body: Any, lost: tuple[str, ...]) -> None:
    written = encoded(ASKED, sampling=Sampling(**asked))
    assert {name: written[name] for name in written.keys() - {"model", "messages", "max_tokens"}} == body
    assert losses(sampling=Sampling(**asked)) == lost


def test_a_model_that_thinks_has_its_own_sampling() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.99, top_k=5)
    written = encoded(ASKED, sampling=sampling, reasoning=Reasoning(effort="low"))
    assert {"temperature", "top_k"} & written.keys() == set()
    assert written["top_p"] == 0.99
    assert losses(sampling=sampling, reasoning=Reasoning(effort="none")) == ("top_p",)


@pytest.mark.parametrize(
    ("budget", "limit", "thinking", "max_tokens"),
    [
        (2000, None, 2000, 16_384 + 2000),
        (10, 5000, 1024, 5000),
        (9000, 5000, 4999, 5000),
        (9000, 1000, None, 1000),
    ],
)
def test_a_budget_fits_below_the_limit(
    budget: int, limit: int | None, thinking: int | None, max_tokens: int
) -> None:
    asked: dict[str, Any] = {
        "reasoning": Reasoning(budget_tokens=budget),
        "sampling": Sampling(max_output_tokens=limit),
    }
    body = encoded(ASKED, **asked)
    assert body["max_tokens"] == max_tokens
    assert body.get("thinking", {}).get("budget_tokens") == thinking
    assert ("reasoning.budget_tokens" in losses(**asked)) == (thinking != budget)


def test_no_budget_goes_with_a_forced_tool_or_a_round_that_began_without_thoughts() -> None:
    asked: dict[str, Any] = {"reasoning": Reasoning(budget_tokens=2000), "tools": (TOOL,)}
    assert "thinking" not in encoded(ASKED, tool_choice=NamedTool(name="f"), **asked)
    begun = (ASKED, Message(role="assistant", parts=(call("a"),)), answered("a"))
    assert "thinking" not in encoded(*begun, **asked)
    thought = Thinking(text="hm", signature="s", origin=NAME)
    begun = (ASKED, Message(role="assistant", parts=(thought, call("a"))), answered("a"))
    assert encoded(*begun, **asked)["thinking"]["budget_tokens"] == 2000


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("claude-3-haiku-20240307", 4096), ("claude-3-5-sonnet-20241022", 8192),
        ("claude-3-7-sonnet-20250219", 16_384), ("Claude-Opus-4-8", 16_384), ("deepseek-v4-flash", 8192),
    ],
)  # fmt: skip
def test_a_family_has_a_limit_where_none_is_given(model: str, limit: int) -> None:
    assert default_max_tokens(model) == encoded(ASKED, model=model)["max_tokens"] == limit


def test_any_json_is_asked_for_in_words_and_a_schema_by_its_format() -> None:
    assert "JSON" in encoded(ASKED, output=JsonObject())["system"]
    assert losses(output=JsonObject()) == ("output.json_object",)
    schema = JsonSchema(schema='{"type":"object"}', name="n", description="d")
    assert encoded(ASKED, output=schema)["output_config"] == {
        "format": {"type": "json_schema", "schema": {"type": "object"}}
    }
    assert losses(output=schema) == ("output.description",)


@pytest.mark.parametrize(
    ("choice", "parallel", "written"),
    [
        (None, None, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", True, {"type": "any", "disable_parallel_tool_use": False}),
        ("none", False, {"type": "none"}),
        (NamedTool(name="f"), None, {"type": "tool", "name": "f"}),
    ],
    ids=str,
)
def test_a_choice_of_tools_is_written(choice: Any, parallel: bool | None, written: Any) -> None:
    body = encoded(ASKED, tools=(TOOL,), tool_choice=choice, parallel_tool_calls=parallel)
    assert body.get("tool_choice") == written
    assert "tool_choice" not in encoded(ASKED, tool_choice=choice, parallel_tool_calls=parallel)


def test_several_answers_at_once_are_refused() -> None:
    with pytest.raises(Unsupported):
        encoded(ASKED, choice_count=2)
