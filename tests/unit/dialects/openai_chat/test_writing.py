"""What clients read."""

import json
from collections.abc import Sequence

import pytest

from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.chat import Refusal, Text, Thinking, ToolCall
from relay.domain.errors import Interrupted
from relay.domain.events import (
    AnswerPart,
    ChatResponse,
    Choice,
    Failed,
    Finished,
    FinishReason,
    LogprobsReported,
    PartDelta,
    PartEnded,
    PartStarted,
    StreamEvent,
    TokenAlternative,
    TokenLogprob,
    UsageReported,
)
from relay.domain.folding import unfold
from relay.domain.usage import Usage
from tests.unit.dialects.openai_chat.talk import (
    Json,
    a_scene,
    deltas_of,
    frames_of,
    written,
)


def answer(*parts: AnswerPart, finish: FinishReason = "stop", usage: Usage | None = None) -> ChatResponse:
    return ChatResponse(choices=(Choice(parts=parts, finish=finish),), usage=usage)


def streamed(*parts: AnswerPart, finish: FinishReason = "stop") -> list[Json]:
    return deltas_of(written(unfold(answer(*parts, finish=finish))))


def whole(*parts: AnswerPart, finish: FinishReason = "stop", usage: Usage | None = None) -> Json:
    body: Json = json.loads(DIALECT.encode_response(answer(*parts, finish=finish, usage=usage), a_scene()))
    return body


CALL = ToolCall(id="c1", name="f", arguments='{"n":1}')
ROLE = {"role": "assistant", "content": ""}


class TestStream:
    def test_bytes_are_as_openais(self) -> None:
        data = written(unfold(answer(Text(text="Hi"))))
        head = (
            b'data: {"id":"chatcmpl-0199-aa11-bb22","object":"chat.completion.chunk","created":1790000000,'
            b'"model":"asked-for","choices":[{"index":0,"delta":'
        )
        tail = b"]}\n\n"
        assert data == (
            head + b'{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}' + tail
            + head + b'{"content":"Hi"},"logprobs":null,"finish_reason":null}' + tail
            + head + b'{},"logprobs":null,"finish_reason":"stop"}' + tail
            + b"data: [DONE]\n\n"
        )  # fmt: skip

    def test_thinking_goes_by_both_its_names(self) -> None:
        assert streamed(Thinking(text="hm", signature="s"), Text(text="4")) == [
            ROLE,
            {"reasoning_content": "hm", "reasoning": "hm"},
            {"content": "4"},
            {},
        ]

    def test_a_refusal_has_a_delta_of_its_own(self) -> None:
        assert streamed(Refusal(text="no"))[1] == {"refusal": "no"}

    def test_a_call_is_named_once_and_then_only_indexed(self) -> None:
        assert streamed(CALL)[0] == {"role": "assistant", "content": None}
        assert streamed(Text(text="x"), CALL, ToolCall(id="c2", name="g", arguments="{}")) == [
            ROLE,
            {"content": "x"},
            {
                "tool_calls": [
                    {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
                ]
            },
            {"tool_calls": [{"index": 0, "function": {"arguments": '{"n":1}'}}]},
            {
                "tool_calls": [
                    {"index": 1, "id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}}
                ]
            },
            {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
            {},
        ]

    def test_a_tool_call_without_arguments_is_an_empty_object(self) -> None:
        assert streamed(ToolCall(id="c1", name="f", arguments=""))[2] == {
            "tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]
        }

    def test_calls_are_numbered_from_zero_whatever_the_part_indexes(self) -> None:
        events: Sequence[StreamEvent] = [
            PartStarted(index=7, kind="tool_call", call_id="a", name="f"),
            PartStarted(index=3, kind="tool_call", call_id="b", name="g"),
            PartDelta(index=3, text="2"),
            PartDelta(index=7, text="1"),
            PartEnded(index=3),
            PartEnded(index=7),
            Finished(reason="stop"),
        ]
        calls = [delta["tool_calls"][0] for delta in deltas_of(written(events)) if "tool_calls" in delta]
        assert [(call["index"], call["function"]["arguments"]) for call in calls] == [
            (0, ""),
            (1, ""),
            (1, "2"),
            (0, "1"),
        ]

    def test_missing_and_doubled_ids_are_made_up_for(self) -> None:
        calls = [ToolCall(id=id_, name="f", arguments="{}") for id_ in ("", "a", "a", "")]
        ids = [
            call["id"] for delta in streamed(*calls) for call in delta.get("tool_calls", []) if "id" in call
        ]
        assert len(set(ids)) == 4
        assert ids == [call["id"] for call in whole(*calls)["choices"][0]["message"]["tool_calls"]]
        assert all(id_.isascii() and len(id_) <= 40 for id_ in ids)

    @pytest.mark.parametrize(
        ("parts", "finish", "word"),
        [
            ((Text(text="x"),), "stop", "stop"),
            ((Text(text="x"),), "tool_calls", "stop"),
            ((CALL,), "stop", "tool_calls"),
            ((CALL,), "length", "length"),
            ((), "content_filter", "content_filter"),
        ],
    )
    def test_the_finish_word_fits_the_parts(
        self, parts: tuple[AnswerPart, ...], finish: FinishReason, word: str
    ) -> None:
        chunks = frames_of(written(unfold(answer(*parts, finish=finish))))
        assert [
            chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"][0]["finish_reason"]
        ] == [word]
        assert chunks[-1]["choices"][0]["delta"] == {}
        assert whole(*parts, finish=finish)["choices"][0]["finish_reason"] == word

    def test_an_empty_answer_has_a_role_and_a_finish(self) -> None:
        assert streamed() == [ROLE, {}]

    def test_an_empty_delta_is_not_sent(self) -> None:
        events: Sequence[StreamEvent] = [
            PartStarted(index=0, kind="text"),
            PartDelta(index=0, text=""),
            Finished(reason="stop"),
        ]
        assert deltas_of(written(events)) == [ROLE, {}]

    def test_the_first_choice_opens_before_any_other(self) -> None:
        events: Sequence[StreamEvent] = [
            PartStarted(index=0, kind="text", choice=1),
            PartDelta(index=0, text="b", choice=1),
            PartStarted(index=0, kind="text", choice=0),
            PartDelta(index=0, text="a", choice=0),
        ]
        choices = [chunk["choices"][0] for chunk in frames_of(written(events))]
        assert [(choice["index"], choice["delta"]) for choice in choices] == [
            (0, ROLE),
            (1, ROLE),
            (1, {"content": "b"}),
            (0, {"content": "a"}),
        ]

    def test_log_probabilities_go_with_their_text(self) -> None:
        rival = TokenAlternative(token="y", logprob=float("-inf"))
        events: Sequence[StreamEvent] = [
            PartStarted(index=0, kind="text"),
            LogprobsReported(tokens=(TokenLogprob(token="x", logprob=-0.5, bytes=(120,), top=(rival,)),)),
            PartDelta(index=0, text="x"),
            PartDelta(index=0, text="z"),
            LogprobsReported(tokens=(TokenLogprob(token="z", logprob=-1.0),)),
            Finished(reason="stop"),
        ]
        choices = [chunk["choices"][0] for chunk in frames_of(written(events))]
        assert choices[1]["delta"] == {"content": "x"}
        assert choices[1]["logprobs"] == {
            "content": [
                {
                    "token": "x",
                    "logprob": -0.5,
                    "bytes": [120],
                    "top_logprobs": [{"token": "y", "logprob": -9999.0, "bytes": None}],
                }
            ],
            "refusal": None,
        }
        assert choices[2]["logprobs"] is None
        assert choices[3]["logprobs"]["content"][0]["token"] == "z"
        assert choices[4]["finish_reason"] == "stop"

    def test_usage_comes_once_and_last_and_only_when_asked_for(self) -> None:
        events = [
            UsageReported(usage=Usage(input_tokens=3)),
            *unfold(
                answer(Text(text="x"), usage=Usage(input_tokens=3, output_tokens=1, cache_read_tokens=2))
            ),
        ]
        chunks = frames_of(written(events, include_usage=True))
        assert [chunk["usage"] for chunk in chunks[:-1]] == [None, None, None]
        assert chunks[-1]["choices"] == []
        assert chunks[-1]["usage"] == {
            "prompt_tokens": 3,
            "completion_tokens": 1,
            "total_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": 2},
        }
        assert all("usage" not in chunk and chunk["choices"] for chunk in frames_of(written(events)))

    def test_unknown_usage_is_not_invented(self) -> None:
        chunks = frames_of(written(unfold(answer(Text(text="x"))), include_usage=True))
        assert all(chunk["choices"] for chunk in chunks)
        assert "usage" not in whole(Text(text="x"))

    def test_a_failure_is_one_error_and_the_end(self) -> None:
        events: Sequence[StreamEvent] = [
            PartStarted(index=0, kind="text"),
            PartDelta(index=0, text="x"),
            Failed(error=Interrupted("it broke")),
            Finished(reason="stop"),
        ]
        data = written(events, include_usage=True)
        assert frames_of(data)[-1] == {
            "error": {
                "message": "it broke",
                "type": "upstream_error",
                "param": None,
                "code": "upstream_stream_interrupted",
            }
        }
        assert b'finish_reason":"' not in data
        assert b"[DONE]" not in data

    def test_line_separators_are_escaped(self) -> None:
        data = written(unfold(answer(Text(text="a\u2028b\u2029c\u0085d"))))
        assert b"a\\u2028b\\u2029c\\u0085d" in data


class TestWhole:
    def test_the_keys_are_as_openais(self) -> None:
        assert whole(Text(text="Hi"), usage=Usage(input_tokens=1, output_tokens=2)) == {
            "id": "chatcmpl-0199-aa11-bb22",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": "asked-for",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Hi", "refusal": None},
                    "finish_reason": "stop",
                    "logprobs": None,
                }
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        }

    @pytest.mark.parametrize(
        ("parts", "members"),
        [
            ((), {"content": "", "refusal": None}),
            ((Refusal(text="no"),), {"content": None, "refusal": "no"}),
            (
                (CALL,),
                {
                    "content": None,
                    "refusal": None,
                    "tool_calls": [
                        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"n":1}'}}
                    ],
                },
            ),
            (
                (Text(text="a"), Thinking(text="b"), Text(text="c")),
                {"content": "ac", "refusal": None, "reasoning_content": "b", "reasoning": "b"},
            ),
        ],
    )
    def test_a_message_holds(self, parts: tuple[AnswerPart, ...], members: Json) -> None:
        assert whole(*parts)["choices"][0]["message"] == {"role": "assistant", **members}

    def test_a_tool_call_without_arguments_is_an_empty_object(self) -> None:
        (call,) = whole(ToolCall(id="c1", name="f", arguments=""))["choices"][0]["message"]["tool_calls"]
        assert call["function"]["arguments"] == "{}"
