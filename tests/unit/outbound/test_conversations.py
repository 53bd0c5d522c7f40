"""Conversations put the way a provider wants them."""

from dataclasses import replace

import pytest

from relay.adapters.outbound.providers.conversations import fitted
from relay.adapters.outbound.providers.quirks import NO_QUIRKS, Quirks, nearest, overlaid
from relay.domain.chat import (
    EFFORTS,
    ChatRequest,
    Effort,
    File,
    JsonObject,
    JsonSchema,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)


def said(role: Role, *parts: Part | str) -> Message:
    return Message(
        role=role, parts=tuple(Text(text=part) if isinstance(part, str) else part for part in parts)
    )


CALL = ToolCall(id="call_abc", name="f", arguments="{}")
RESULT = ToolResult(call_id="call_abc", name="f", parts=(Text(text="4"),))
TALK = ChatRequest(
    model="m",
    messages=(
        said("system", "be brief"),
        said("user", "2+2?"),
        said("assistant", Thinking(text="hm"), CALL),
        said("tool", RESULT),
        said("user", "sure?"),
        said("assistant", Thinking(text="yes"), "4"),
        said("user", "thanks"),
    ),
    reasoning=Reasoning(effort="medium"),
)


def test_without_quirks_a_request_stays_the_very_same() -> None:
    assert fitted(TALK, NO_QUIRKS).request is TALK


def test_instructions_without_a_role_open_what_the_user_says_first() -> None:
    request = fitted(TALK, Quirks(instructions="in_prompt")).request
    assert request.messages[0] == said("user", "be brief", "2+2?")
    assert len(request.messages) == len(TALK.messages) - 1


def test_instructions_before_an_assistant_become_a_users_message() -> None:
    talk = ChatRequest(model="m", messages=(said("developer", "be brief"), said("assistant", "hello")))
    request = fitted(talk, Quirks(instructions="in_prompt")).request
    assert [message.role for message in request.messages] == ["user", "assistant"]


def test_past_thoughts_are_kept_where_tools_were_called() -> None:
    with_calls = fitted(TALK, Quirks(past_thinking="with_calls")).request
    dropped = fitted(TALK, Quirks(past_thinking="dropped")).request
    assert [_thoughts(with_calls), _thoughts(dropped)] == [["hm"], []]


def _thoughts(request: ChatRequest) -> list[str]:
    return [part.text for message in request.messages for part in message.parts if isinstance(part, Thinking)]


def test_a_seal_of_openrouters_goes_back_to_it_and_to_nobody_else() -> None:
    details = Thinking(text="hm", sealed='[{"data":"x"}]', origin="openai.chat")
    others = Thinking(text="hm", sealed="x", origin="anthropic.messages")
    talk = ChatRequest(model="m", messages=(said("user", "hi"), said("assistant", details, others, "yes")))
    assert fitted(talk, Quirks(past_thinking="sealed")).request is talk
    found = fitted(talk, NO_QUIRKS)
    assert found.request.messages[1] == said("assistant", Thinking(text="hm"), others, "yes")
    assert found.losses == ("thinking.signature",)
    assert fitted(found.request, NO_QUIRKS).request is found.request


def test_ids_of_calls_and_results_become_the_same_nine_characters() -> None:
    request = fitted(TALK, Quirks(call_ids="alnum9")).request
    [call] = [part for message in request.messages for part in message.parts if isinstance(part, ToolCall)]
    [result] = [
        part for message in request.messages for part in message.parts if isinstance(part, ToolResult)
    ]
    assert call.id == result.call_id
    assert len(call.id) == 9
    assert call.id.isalnum()
    assert fitted(request, Quirks(call_ids="alnum9")).request == request


def test_an_assistant_speaks_between_a_result_and_the_user() -> None:
    request = fitted(TALK, Quirks(after_results="OK.")).request
    assert [message.role for message in request.messages] == [
        "system", "user", "assistant", "tool", "assistant", "user", "assistant", "user",
    ]  # fmt: skip
    assert request.messages[4] == said("assistant", "OK.")
    assert fitted(request, Quirks(after_results="OK.")).request == request


def test_a_schema_that_is_not_enforced_is_told_and_its_loss_too() -> None:
    asked = ChatRequest(model="m", messages=TALK.messages, output=JsonSchema(schema='{"type":"object"}'))
    found = fitted(asked, Quirks(schema_in_prompt=True))
    assert found.request.output == JsonObject()
    assert found.losses == ("output.schema",)
    told = found.request.messages[1]
    assert told.role == "system"
    assert '{"type":"object"}' in str(told.parts)
    assert "JSON" in str(told.parts)


def test_a_file_that_is_elsewhere_stands_where_an_inline_one_would() -> None:
    file = File(url="https://example.org/a.pdf", filename="a.pdf", media_type="application/pdf")
    result = ToolResult(call_id="1", name="f", parts=(file,))
    talk = ChatRequest(model="m", messages=(said("user", file), said("tool", result)))
    placed = File(data="https://example.org/a.pdf", filename="a.pdf")
    request = fitted(talk, Quirks(files_by_address=True)).request
    assert request.messages == (said("user", placed), said("tool", replace(result, parts=(placed,))))


def test_the_word_is_said_where_json_is_wanted_and_nobody_spoke_of_it() -> None:
    asked = ChatRequest(model="m", messages=TALK.messages, output=JsonObject())
    found = fitted(asked, Quirks(json_word=True))
    assert [message.role for message in found.request.messages][:3] == ["system", "system", "user"]
    assert "JSON" in str(found.request.messages[1].parts)
    assert found.losses == ()
    spoken = ChatRequest(model="m", messages=(said("user", "as Json, please"),), output=JsonObject())
    assert fitted(spoken, Quirks(json_word=True)).request is spoken
    assert fitted(TALK, Quirks(json_word=True)).request is TALK


@pytest.mark.parametrize(
    ("asked", "taken", "fitting"),
    [
        ("medium", ("low", "high"), "high"),
        ("minimal", ("none", "low"), "low"),
        ("minimal", ("none", "high"), "high"),
        ("none", ("low", "medium"), "low"),
        ("none", ("none", "high"), "none"),
        ("max", ("low", "high"), "high"),
        ("xhigh", ("high", "max"), "max"),
        ("low", ("none",), "none"),
        ("low", (), None),
    ],
)
def test_the_nearest_effort_is_taken(
    asked: Effort, taken: tuple[Effort, ...], fitting: Effort | None
) -> None:
    assert nearest(asked, taken) == fitting
    talk = ChatRequest(model="m", messages=TALK.messages, reasoning=Reasoning(effort=asked))
    found = fitted(talk, Quirks(efforts=taken))
    assert found.request.reasoning == (None if fitting is None else Reasoning(effort=fitting))


@pytest.mark.parametrize(("effort", "losses"), [("none", ()), ("low", ("reasoning_effort",))])
def test_no_thinking_is_no_loss_where_nothing_thinks(effort: Effort, losses: tuple[str, ...]) -> None:
    talk = ChatRequest(model="m", messages=TALK.messages, reasoning=Reasoning(effort=effort))
    assert fitted(talk, Quirks(efforts=())).losses == losses


BUDGETS = Quirks(budgets={"none": 0, "low": 1024, "medium": 4096, "high": 16384})


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (Reasoning(), Reasoning(budget_tokens=4096)),
        (Reasoning(effort="none"), Reasoning(effort="none")),
        (Reasoning(effort="minimal"), Reasoning(budget_tokens=1024)),
        (Reasoning(effort="max"), Reasoning(budget_tokens=16384)),
        (Reasoning(budget_tokens=10), Reasoning(budget_tokens=1024)),
        (Reasoning(budget_tokens=5000), Reasoning(budget_tokens=5000)),
        (Reasoning(budget_tokens=99_999), Reasoning(budget_tokens=16384)),
    ],
)
def test_an_effort_is_a_number_of_tokens_where_a_model_wants_one(asked: Reasoning, given: Reasoning) -> None:
    talk = ChatRequest(model="m", messages=TALK.messages, reasoning=asked)
    assert fitted(talk, BUDGETS).request.reasoning == given


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        (Reasoning(), '{"enabled":true}'),
        (Reasoning(effort="none"), '{"effort":"none"}'),
        (Reasoning(budget_tokens=2000), '{"max_tokens":2000}'),
    ],
)
def test_reasoning_is_asked_for_by_an_object_where_it_has_one(asked: Reasoning, written: str) -> None:
    talk = ChatRequest(model="m", messages=TALK.messages, reasoning=asked)
    request = fitted(talk, Quirks(reasoning_object=True)).request
    assert request.reasoning is None
    assert request.extras["openai.chat"] == {"reasoning": written}


def test_of_several_quirks_the_last_word_counts_and_silence_takes_nothing_back() -> None:
    first = Quirks(efforts=EFFORTS, instructions="in_prompt")
    assert overlaid((first, Quirks(efforts=()), NO_QUIRKS)) == Quirks(efforts=(), instructions="in_prompt")
