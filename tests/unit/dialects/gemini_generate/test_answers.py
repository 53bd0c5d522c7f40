"""Answers of Gemini's in odd shapes: what cannot be read is taken as not sent, and a failure is told as one."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.base import ProviderFault
from relay.adapters.dialects.gemini_generate import DIALECT
from relay.adapters.dialects.gemini_generate.reading import FAILURES, REASONS
from relay.domain.chat import Citation, Opaque, Text, Thinking, ToolCall
from relay.domain.errors import (
    BadCredential,
    Interrupted,
    Limited,
    Malformed,
    Overloaded,
    Rejected,
    UpstreamError,
)
from relay.domain.events import ChatResponse, Choice, Failed, Started
from relay.domain.folding import fold
from tests.support.laws.language import a_scene


def answer(*parts: Any, **more: Any) -> dict[str, Any]:
    told = {"content": {"parts": list(parts), "role": "model"}, "finishReason": "STOP", "index": 0, **more}
    return {"candidates": [told], "modelVersion": "m", "responseId": "r"}


def read(value: Any) -> ChatResponse:
    return DIALECT.decode_response(json.dumps(value).encode())


def choice(value: Any) -> Choice:
    [only] = read(value).choices
    return only


def failure(value: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        read(value)
    return raised.value


@pytest.mark.parametrize("word", sorted({*REASONS, *FAILURES, "NEW_WORD"}))
def test_every_finish_word_is_an_end_or_a_failure(word: str) -> None:
    value = answer({"text": "a"}, finishReason=word)
    if word in FAILURES:
        assert isinstance(failure(value), Overloaded)
        assert word in failure(value).message
    else:
        found = choice(value)
        assert (found.finish, found.raw_finish) == (REASONS.get(word, "stop"), word)


def test_an_unknown_finish_word_without_an_answer_is_a_failure() -> None:
    assert isinstance(failure(answer(finishReason="NEW_WORD")), Overloaded)


def test_a_call_makes_the_finish_one_of_calls_unless_something_else_ended_it() -> None:
    call = {"functionCall": {"name": "look"}}
    assert choice(answer(call)).finish == "tool_calls"
    assert choice(answer(call, finishReason="MAX_TOKENS")).finish == "length"


def test_calls_without_ids_get_distinct_ones_that_are_the_same_each_time() -> None:
    value = answer({"functionCall": {"name": "look"}}, {"functionCall": {"name": "look"}})
    ids = [part.id for part in choice(value).parts if isinstance(part, ToolCall)]
    assert len(set(ids)) == 2
    assert ids == [part.id for part in choice(value).parts if isinstance(part, ToolCall)]
    other = choice({**value, "responseId": "other"})
    assert not {*ids} & {part.id for part in other.parts if isinstance(part, ToolCall)}


@pytest.mark.parametrize("arguments", [None, [], "x", 5, {}])
def test_arguments_are_an_object_in_any_case(arguments: object) -> None:
    [part] = choice(answer({"functionCall": {"name": "look", "args": arguments}})).parts
    assert isinstance(part, ToolCall)
    assert part.arguments == "{}"


def test_arguments_keep_their_numbers_on_one_line() -> None:
    part = b'{"functionCall":{"name":"f","args":{\n "n": 1.50}}}'
    body = b'{"candidates":[{"content":{"parts":[%b]},"finishReason":"STOP"}]}' % part
    [call] = DIALECT.decode_response(body).choices[0].parts
    assert isinstance(call, ToolCall)
    assert call.arguments == '{"n":1.50}'


def test_texts_in_a_row_are_one_and_signed_ones_stand_alone() -> None:
    value = answer(
        {"text": "a"},
        {"text": "b"},
        {"text": "c", "thoughtSignature": "s"},
        {"text": "d"},
        {"text": "e", "thought": True},
        {"text": "f"},
        {"thoughtSignature": "t"},
    )
    assert choice(value).parts == (
        Text(text="ab"),
        Text(text="c", signature="s"),
        Text(text="d"),
        Thinking(text="e", origin="gemini.generate"),
        Text(text="f"),
        Text(text="", signature="t"),
    )


def test_a_part_of_an_unknown_kind_is_opaque_and_marks_alone_are_nothing() -> None:
    value = answer({"newKind": {"n": 1}}, {"videoMetadata": {}}, {"inlineData": {"data": "a"}}, 5, None)
    assert choice(value).parts == (
        Opaque(origin="gemini.generate", json='{"newKind":{"n":1}}'),
        Opaque(origin="gemini.generate", json='{"inlineData":{"data":"a"}}'),
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"content": None},
        {"content": {"parts": None}},
        {"content": {"parts": {"text": "a"}}},
        {"content": []},
        {"index": "x"},
        {"index": -1},
        {"index": 10**9},
        {"groundingMetadata": 5, "citationMetadata": [], "logprobsResult": "x"},
    ],
)
def test_odd_members_are_taken_as_not_sent(odd: dict[str, Any]) -> None:
    found = choice(answer(**odd))
    assert (found.finish, found.parts, found.index) == ("stop", (), 0)


def test_a_prompt_that_was_blocked_is_an_answer_without_parts() -> None:
    found = choice({"promptFeedback": {"blockReason": "SAFETY"}})
    assert (found.finish, found.raw_finish, found.parts) == ("content_filter", "SAFETY", ())
    with pytest.raises(Malformed):
        read({"promptFeedback": {"blockReason": "BLOCK_REASON_UNSPECIFIED"}})


def test_an_answer_that_began_before_its_prompt_was_blocked_is_not_finished() -> None:
    value = answer({"text": "a"}, finishReason="FINISH_REASON_UNSPECIFIED")
    with pytest.raises(Malformed):
        read({**value, "promptFeedback": {"blockReason": "SAFETY"}})


@pytest.mark.parametrize(
    ("metadata", "cited"),
    [
        ({"groundingChunks": [{"web": {"uri": "u", "title": "t"}}]}, (Citation(url="u", title="t"),)),
        ({"groundingChunks": [{"maps": {"uri": "u"}}, {"retrievedContext": {"uri": "v"}}, {}, 5]},
         (Citation(url="u"), Citation(url="v"))),
        ({"groundingChunks": [{"web": {"uri": "u"}}],
          "groundingSupports": [
              {"segment": {"startIndex": 2, "endIndex": 3}, "groundingChunkIndices": [0, 9, -1, "x"]}]},
         (Citation(url="u", start=1, end=2),)),
        ({"groundingChunks": [{"web": {"uri": "u"}}],
          "groundingSupports": [{"segment": {"startIndex": 40, "endIndex": 50}, "groundingChunkIndices": [0]}]},
         (Citation(url="u", start=39, end=49),)),
        ({"groundingChunks": [{"web": {"uri": "u"}}],
          "groundingSupports": [{"segment": {"endIndex": 1, "text": "b"}, "groundingChunkIndices": [0]}]},
         (Citation(url="u", start=1, end=2),)),
    ],
)  # fmt: skip
def test_places_are_bytes_on_the_wire_and_characters_here(metadata: Any, cited: tuple[Citation, ...]) -> None:
    assert choice(answer({"text": "äb"}, groundingMetadata=metadata)).parts == (
        Text(text="äb", citations=cited),
    )


def test_what_is_recited_is_cited() -> None:
    sources = {
        "citationSources": [{"startIndex": 0, "endIndex": 2, "uri": "u", "title": "t"}, {"license": ""}]
    }
    [part] = choice(answer({"text": "äb"}, citationMetadata=sources)).parts
    assert part == Text(text="äb", citations=(Citation(url="u", title="t", start=0, end=1),))


def test_searches_are_counted() -> None:
    grounded = answer({"text": "a"}, groundingMetadata={"webSearchQueries": ["x", "y"]})
    usage = read(grounded).usage
    assert usage is not None
    assert usage.counts() == {"web_searches": 2}


@pytest.mark.parametrize(
    ("report", "counts"),
    [
        ({"promptTokenCount": 5, "totalTokenCount": 9}, {"input_tokens": 5, "output_tokens": 4}),
        ({"promptTokenCount": 5, "totalTokenCount": 2}, {"input_tokens": 5, "output_tokens": 0}),
        ({"candidatesTokenCount": 3}, {"output_tokens": 3}),
        ({"totalTokenCount": 9}, None),
        ({"promptTokenCount": "5", "candidatesTokenCount": -1}, None),
        (
            {"promptTokenCount": 9, "promptTokensDetails": [
                {"modality": "DOCUMENT", "tokenCount": 2}, {"modality": "IMAGE", "tokenCount": 3},
                {"modality": "TEXT", "tokenCount": 4}, {"modality": "AUDIO"}, 5]},
            {"input_tokens": 9, "input_image_tokens": 5},
        ),
        (
            {"promptTokenCount": 9, "cachedContentTokenCount": 4,
             "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}]},
            {"input_tokens": 9, "cache_read_tokens": 4, "cache_audio_read_tokens": 4},
        ),
    ],
)  # fmt: skip
def test_counts_are_made_inclusive(report: Any, counts: dict[str, int] | None) -> None:
    usage = read({**answer({"text": "a"}), "usageMetadata": report}).usage
    assert (usage.counts() if usage else None) == counts


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ({"status": "UNAVAILABLE", "message": "m"}, Overloaded, "upstream_overloaded"),
        ({"status": "INVALID_ARGUMENT", "message": "m"}, Rejected, "INVALID_ARGUMENT"),
        ({"code": 200, "status": "RESOURCE_EXHAUSTED", "message": "m"}, Limited, "rate_limit_exceeded"),
        ({"code": 400, "details": [{"reason": "API_KEY_INVALID"}]}, BadCredential, "upstream_authentication"),
        ({"code": 429, "details": [{"violations": [{"quotaId": "APerDayB"}]}]}, Limited, "insufficient_quota"),
        ("m", Overloaded, "upstream_overloaded"),
        ({"code": "x"}, Overloaded, "upstream_overloaded"),
    ],
)  # fmt: skip
def test_an_error_in_place_of_an_answer_is_the_providers(
    error: Any, kind: type[UpstreamError], code: str
) -> None:
    raised = failure({"error": error})
    assert type(raised) is kind
    assert raised.code == code


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("48s", 48.0), ("0.5s", 0.5), ("x", None), ("-1s", None), (5, None), ("1e9s", None)],
)
def test_how_long_to_wait_is_read_where_it_is_a_time(delay: object, seconds: float | None) -> None:
    body = json.dumps({"error": {"code": 429, "message": "m", "details": [{"retryDelay": delay}, 5]}})
    assert DIALECT.decode_error(body.encode()) == ProviderFault(message="m", retry_after_s=seconds)


def test_what_comes_behind_the_finish_is_heard() -> None:
    decoder = DIALECT.decoder()
    events = [
        *decoder.feed(b"data: " + json.dumps(answer({"text": "a"})).encode() + b"\n\n"),
        *decoder.feed(
            b'data: {"usageMetadata":{"promptTokenCount":1,"totalTokenCount":2}}\n\ndata: [DONE]\n\n'
        ),
        *decoder.close(),
    ]
    response = fold(events)
    assert response.usage is not None
    assert response.usage.counts() == {"input_tokens": 1, "output_tokens": 1}
    assert [event for event in events if isinstance(event, Started)] == [Started(id="r", model="m")]


def test_an_error_behind_the_finish_is_a_failure_that_a_tap_does_not_hide() -> None:
    data = b"data: " + json.dumps(answer({"text": "a"})).encode() + b'\n\ndata: {"error":{"code":503}}\n\n'
    decoder, tap = DIALECT.decoder(), DIALECT.tap(a_scene())
    events = [*decoder.feed(data), *decoder.close()]
    assert isinstance(events[-1], Failed)
    assert tap.feed(data).raw + tap.close().raw == b""


def test_a_stream_without_a_finish_word_is_interrupted() -> None:
    decoder = DIALECT.decoder()
    begun = answer({"text": "a"}, finishReason=None)
    events = [*decoder.feed(b"data: " + json.dumps(begun).encode() + b"\n\n"), *decoder.close()]
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].error, Interrupted)


def test_half_a_character_in_an_answer_is_cleaned() -> None:
    parts = b'{"text":"a\\ud83d"},{"functionCall":{"name":"f","args":{"x":"\\ud83d"}}}'
    body = b'{"candidates":[{"content":{"parts":[%b]},"finishReason":"STOP"}]}' % parts
    [text, call] = DIALECT.decode_response(body).choices[0].parts
    assert text == Text(text="a\ufffd")
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {"x": "\ufffd"}


def test_a_glance_counts_only_what_is_finished() -> None:
    counted = {**answer({"text": "a"}), "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1}}
    assert DIALECT.glance(json.dumps(counted).encode()) is not None
    assert DIALECT.glance(json.dumps(answer({"text": "a"})).encode()) is None
    assert DIALECT.glance(b"{}") is None
