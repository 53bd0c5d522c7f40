"""OpenAI's own SDK reads what the encoder writes, with the stream helper that is strictest about it."""

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.chat import Text, Thinking, ToolCall
from relay.domain.events import ChatResponse, Choice, TokenLogprob
from relay.domain.folding import unfold
from relay.domain.usage import Usage
from tests.unit.dialects.openai_chat.talk import Json, a_scene, frames_of, said, stream_of, written

ANSWER = ChatResponse(
    choices=(
        Choice(
            parts=(
                Thinking(text="hm"),
                Text(text="Hello"),
                ToolCall(id="a", name="f", arguments='{"n": 1}'),
                ToolCall(id="b", name="g", arguments=""),
            ),
            finish="tool_calls",
            logprobs=(TokenLogprob(token="Hello", logprob=-0.1),),
        ),
        Choice(index=1, parts=(Text(text="Hi"),), finish="length"),
    ),
    usage=Usage(input_tokens=5, output_tokens=7, output_reasoning_tokens=2),
)


def assembled(data: bytes) -> ChatCompletion:
    """What the SDK's helper makes of a stream."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for frame in frames_of(data):
        state.handle_chunk(ChatCompletionChunk.model_validate(frame))
    return ChatCompletion.model_validate(state.current_completion_snapshot.model_dump())


def spelled(completion: ChatCompletion) -> list[tuple[str | None, list[tuple[str, str, str]], str]]:
    return [
        (
            choice.message.content,
            [
                (call.id, call.function.name, call.function.arguments)
                for call in choice.message.tool_calls or []
                if call.type == "function"
            ],
            choice.finish_reason,
        )
        for choice in completion.choices
    ]


EXPECTED = [("Hello", [("a", "f", '{"n": 1}'), ("b", "g", "{}")], "tool_calls"), ("Hi", [], "length")]


def test_a_streamed_answer_is_assembled() -> None:
    completion = assembled(written(unfold(ANSWER), include_usage=True))
    assert spelled(completion) == EXPECTED
    assert completion.choices[0].message.role == "assistant"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 12
    assert completion.model == "asked-for"


def test_a_whole_answer_is_read() -> None:
    completion = ChatCompletion.model_validate_json(DIALECT.encode_response(ANSWER, a_scene()))
    assert spelled(completion) == EXPECTED
    assert (completion.object, completion.choices[0].logprobs is not None) == ("chat.completion", True)


@pytest.mark.parametrize(
    "chunks",
    [
        [
            said({"content": "a"}),
            said(
                {"content": "b"},
                "stop",
                usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
            ),
        ],
        [
            said({"role": "assistant", "content": "a"}),
            said({"role": "assistant", "content": "b"}, "stop"),
            said({}, "stop"),
        ],
    ],
)
def test_a_passed_stream_is_assembled_whatever_the_provider_does(chunks: list[Json]) -> None:
    tap = DIALECT.tap(a_scene(include_usage=True))
    completion = assembled(tap.feed(stream_of(chunks)).raw + tap.close().raw)
    assert spelled(completion) == [("ab", [], "stop")]
    assert completion.choices[0].message.role == "assistant"
