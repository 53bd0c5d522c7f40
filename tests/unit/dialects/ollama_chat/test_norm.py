"""What is said of the dialect's poverty is true of it; the laws in `tests/contract` try it on everything else."""

from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.ollama_chat import DIALECT, POVERTY, REQUEST_POVERTY, norm, norm_request
from relay.domain.chat import (
    Audio,
    ChatRequest,
    JsonSchema,
    Message,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from relay.domain.events import ChatResponse, Choice

RICH = ChatRequest(
    model="m",
    messages=(
        Message(role="developer", parts=(Text(text="a"), Text(text="b")), name="ann"),
        Message(role="user", parts=(Audio(data="UklGRg==", format="wav"),)),
        Message(
            role="assistant",
            parts=(ToolCall(id="", name="f", arguments="[1]"), Thinking(text="Hm", signature="sealed")),
        ),
        Message(
            role="user", parts=(Refusal(text="no"), ToolResult(call_id="", name="", parts=(), is_error=True))
        ),
    ),
    tools=(ToolSpec(name="f", parameters='{"x":"\u2028"}', strict=True),),
    tool_choice="required",
    parallel_tool_calls=False,
    output=JsonSchema(schema="{}", name="reply", description="d", strict=True),
    reasoning=Reasoning(effort="xhigh", budget_tokens=5),
    include_usage=True,
    user="u",
    extras={
        "openai.chat": {"logit_bias": "{}"},
        "ollama.chat": {"options": '{ "num_ctx": 1 }', "foo": "null"},
    },
)


def test_every_poverty_is_one_sentence_said_once() -> None:
    for sentences in (POVERTY, REQUEST_POVERTY):
        assert len(set(sentences)) == len(sentences)
        assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in sentences)


def test_what_is_left_of_a_request_is_what_a_provider_reads() -> None:
    wire = DIALECT.encode_request(RICH)
    assert DIALECT.decode_request(wire.body) == norm_request(RICH)


def test_what_is_left_of_a_request_loses_nothing_more() -> None:
    left = norm_request(RICH)
    assert norm_request(left) == left
    assert DIALECT.encode_request(left).losses == ()


def test_an_answer_without_a_first_choice_is_an_empty_one() -> None:
    scene = Scene(id="", model="", created=0, started_ns=0, clock_ns=lambda: 1)
    nothing = ChatResponse(choices=(Choice(parts=(), finish="length", index=1),))
    assert norm(nothing) == DIALECT.decode_response(DIALECT.encode_response(nothing, scene))
