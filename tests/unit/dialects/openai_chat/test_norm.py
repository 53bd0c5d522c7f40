"""What a trip through the dialect leaves: the laws prove that it is so, these show what it is."""

import pytest

from relay.adapters.dialects.openai_chat import DIALECT, POVERTY, REQUEST_POVERTY, norm, norm_request
from relay.domain.chat import (
    ChatRequest,
    JsonSchema,
    Message,
    Reasoning,
    Refusal,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolSpec,
)
from relay.domain.events import ChatResponse, Choice, TokenLogprob
from relay.domain.folding import fold, unfold
from relay.domain.usage import Usage
from tests.unit.dialects.openai_chat.talk import a_scene, written

RICH = ChatResponse(
    id="chatcmpl-0199-aa11-bb22",
    model="asked-for",
    created=1_790_000_000,
    choices=(
        Choice(
            parts=(
                Text(text="a"),
                ToolCall(id="x", name="f", arguments=""),
                Thinking(text="b", signature="s"),
                Refusal(text="c"),
                Text(text=""),
                Text(text="d"),
                ToolCall(id="x", name="g", arguments="{}"),
                Thinking(text="e"),
            ),
            finish="stop",
            raw_finish="end_turn",
            logprobs=(TokenLogprob(token="a", logprob=float("-inf")),),
        ),
        Choice(index=1, parts=(), finish="tool_calls"),
    ),
    usage=Usage(output_tokens=3, output_reasoning_tokens=5, web_searches=1),
)


def test_an_answer_keeps() -> None:
    assert norm(RICH).choices == (
        Choice(
            parts=(
                Thinking(text="be"),
                Text(text="ad"),
                Refusal(text="c"),
                ToolCall(id="x", name="f", arguments="{}"),
                ToolCall(id="x_2", name="g", arguments="{}"),
            ),
            finish="tool_calls",
            raw_finish="tool_calls",
            logprobs=(TokenLogprob(token="a", logprob=-9999.0),),
        ),
        Choice(index=1, parts=(), finish="stop", raw_finish="stop"),
    )
    assert norm(RICH).usage == Usage(input_tokens=0, output_tokens=3, output_reasoning_tokens=3)


def test_whole_and_streamed_answers_keep_the_same() -> None:
    decoder = DIALECT.decoder()
    read = [*decoder.feed(written(unfold(RICH), include_usage=True)), *decoder.close()]
    assert fold(read) == norm(RICH)
    assert DIALECT.decode_response(DIALECT.encode_response(RICH, a_scene())) == norm(RICH)


def test_a_request_keeps() -> None:
    request = ChatRequest(
        model="m",
        messages=(Message(role="assistant", parts=(Text(text="a"), Text(text=""), Thinking(text="b"))),),
        tools=(ToolSpec(name="f", parameters=' {"a": "\u2028"} '),),
        sampling=Sampling(stop=("", "x")),
        output=JsonSchema(schema=" {} ", name="n"),
        reasoning=Reasoning(budget_tokens=4096),
        stream=True,
        extras={"openai.chat": {"a": " 1 ", "b": "null", "c.d": "1"}, "ollama.chat": {"e": "1"}},
    )
    kept = norm_request(request)
    assert kept == ChatRequest(
        model="m",
        messages=(Message(role="assistant", parts=(Thinking(text="b"), Text(text="a"))),),
        tools=(ToolSpec(name="f", parameters='{"a": "\\u2028"}'),),
        sampling=Sampling(stop=("x",)),
        output=JsonSchema(schema="{}", name="n"),
        reasoning=Reasoning(effort="medium"),
        stream=True,
        include_usage=True,
        extras={"openai.chat": {"a": "1"}},
    )
    assert DIALECT.decode_request(DIALECT.encode_request(request).body) == kept


@pytest.mark.parametrize("sentence", [*POVERTY, *REQUEST_POVERTY])
def test_a_poverty_is_a_sentence(sentence: str) -> None:
    assert sentence[0].isupper()
    assert sentence.endswith(".")
