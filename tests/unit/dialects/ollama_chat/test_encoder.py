"""What a client's stream looks like, byte for byte where clients care."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.ollama_chat import DIALECT
from relay.domain.errors import Limited, UnknownModel
from relay.domain.events import (
    Failed,
    Finished,
    FinishReason,
    LogprobsReported,
    PartDelta,
    PartEnded,
    PartKind,
    PartStarted,
    SignatureDelta,
    Started,
    StreamEvent,
    TokenAlternative,
    TokenLogprob,
    UsageReported,
)
from relay.domain.usage import Usage
from tests.unit.dialects.ollama_chat.hand_clock import STARTED_NS, HandClock


def part(kind: PartKind, *texts: str, index: int = 0, choice: int = 0) -> list[StreamEvent]:
    return [
        PartStarted(index=index, kind=kind, choice=choice),
        *(PartDelta(index=index, text=text, choice=choice) for text in texts),
        PartEnded(index=index, choice=choice),
    ]


def call(index: int, *arguments: str, call_id: str = "call_1", name: str = "f") -> list[StreamEvent]:
    return [
        PartStarted(index=index, kind="tool_call", call_id=call_id, name=name),
        *(PartDelta(index=index, text=text) for text in arguments),
        PartEnded(index=index),
    ]


def written(scene: Scene, *events: StreamEvent, finish: FinishReason = "stop") -> bytes:
    encoder = DIALECT.encoder(scene)
    return b"".join(map(encoder.send, [Started(), *events, Finished(reason=finish)])) + encoder.close()


def lines(stream: bytes) -> list[dict[str, Any]]:
    assert stream.endswith(b"\n")
    return [json.loads(line) for line in stream.removesuffix(b"\n").split(b"\n")]


def messages(stream: bytes) -> list[dict[str, Any]]:
    return [line["message"] for line in lines(stream)]


def test_a_stream_reads_as_real_ollamas(scene: Scene, clock: HandClock) -> None:
    encoder = DIALECT.encoder(scene)
    clock.now_ns += 100_000_000
    stream = b"".join(map(encoder.send, part("thinking", "Hm")))
    clock.now_ns += 100_000_001
    stream += b"".join(map(encoder.send, part("text", "Hi", index=1)))
    clock.now_ns += 99_999_999
    stream += encoder.send(UsageReported(usage=Usage(input_tokens=12, output_tokens=2, cache_read_tokens=9)))
    stream += encoder.send(Finished(reason="stop"))
    assert stream + encoder.close() == (
        b'{"model":"basic","created_at":"2026-08-21T18:48:22.1Z",'
        b'"message":{"role":"assistant","content":"","thinking":"Hm"},"done":false}\n'
        b'{"model":"basic","created_at":"2026-08-21T18:48:22.200000001Z",'
        b'"message":{"role":"assistant","content":"Hi"},"done":false}\n'
        b'{"model":"basic","created_at":"2026-08-21T18:48:22.3Z",'
        b'"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",'
        b'"total_duration":300000000,"load_duration":1,"prompt_eval_count":12,'
        b'"prompt_eval_duration":100000000,"eval_count":2,"eval_duration":199999999}\n'
    )


def test_a_full_second_has_no_fraction(scene: Scene) -> None:
    assert lines(written(scene))[0]["created_at"] == "2026-08-21T18:48:22Z"


@pytest.mark.parametrize("passed_ns", [-5_000_000_000, 0, 1, 2, 3, 4, 5_000_000_000])
@pytest.mark.parametrize("first_ns", [-1, 0, 2, 6_000_000_000])
def test_durations_are_positive_and_within_the_total(
    scene: Scene, clock: HandClock, passed_ns: int, first_ns: int
) -> None:
    encoder = DIALECT.encoder(scene)
    clock.now_ns = STARTED_NS + first_ns
    for event in part("text", "Hi"):
        encoder.send(event)
    clock.now_ns = STARTED_NS + passed_ns
    (last,) = lines(encoder.close())
    parts = [last["load_duration"], last["prompt_eval_duration"], last["eval_duration"]]
    assert min(parts) > 0
    assert sum(parts) == last["total_duration"]


@pytest.mark.parametrize("usage", [None, Usage(), Usage(input_tokens=0, output_tokens=0)])
def test_counts_that_are_unknown_or_zero_are_left_out(scene: Scene, usage: Usage | None) -> None:
    reported = [] if usage is None else [UsageReported(usage=usage)]
    (last,) = lines(written(scene, *reported))
    assert not {"prompt_eval_count", "eval_count"} & last.keys()
    assert None not in last.values()


def test_the_last_usage_report_wins_count_by_count(scene: Scene) -> None:
    reports = (Usage(input_tokens=5, output_tokens=1), Usage(output_tokens=7))
    (last,) = lines(written(scene, *(UsageReported(usage=usage) for usage in reports)))
    assert (last["prompt_eval_count"], last["eval_count"]) == (5, 7)


@pytest.mark.parametrize(
    ("finish", "word"),
    [("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), ("content_filter", "stop")],
)
def test_an_answer_ends_with_stop_or_length(scene: Scene, finish: FinishReason, word: str) -> None:
    (last,) = lines(written(scene, finish=finish))
    assert last["done_reason"] == word


def test_a_call_is_one_line_with_an_object(scene: Scene) -> None:
    stream = written(scene, *call(0, '{"b":', " 1.0,", '"a":2}'), *call(1, call_id="call_2", name="g"))
    assert (
        b'"message":{"role":"assistant","content":"","tool_calls":[{"id":"call_1",'
        b'"function":{"index":0,"name":"f","arguments":{"b":1.0,"a":2}}}]},"done":false}\n' in stream
    )
    assert messages(stream)[1]["tool_calls"] == [
        {"id": "call_2", "function": {"index": 1, "name": "g", "arguments": {}}}
    ]
    assert len(lines(stream)) == 3


def test_calls_that_arrive_interleaved_leave_in_order(scene: Scene) -> None:
    encoder = DIALECT.encoder(scene)
    first, second = call(3, "{}", call_id="call_1"), call(4, "{}", call_id="call_2")
    assert b"".join(map(encoder.send, [first[0], *second])) == b""
    stream = b"".join(map(encoder.send, first[1:]))
    assert [line["message"]["tool_calls"][0]["id"] for line in lines(stream)] == ["call_1", "call_2"]


@pytest.mark.parametrize(
    ("arguments", "object_"),
    [("[1]", {"_raw": "[1]"}), ('{"a":', {"_raw": '{"a":'}), ("null", {}), (' {"a"\n:\n1}', {"a": 1})],
)
def test_arguments_are_an_object_on_one_line_in_any_case(
    scene: Scene, arguments: str, object_: object
) -> None:
    first, _ = messages(written(scene, *call(0, arguments)))
    assert first["tool_calls"][0]["function"]["arguments"] == object_


def test_a_call_without_an_id_is_given_one(scene: Scene) -> None:
    first, second, _ = messages(written(scene, *call(0, call_id=""), *call(1, call_id="")))
    ids = [message["tool_calls"][0]["id"] for message in (first, second)]
    assert ids[0] != ids[1]
    assert all(each.startswith("call_") and len(each) == 13 for each in ids)


def test_nothing_is_sent_for_nothing(scene: Scene) -> None:
    encoder = DIALECT.encoder(scene)
    quiet = [Started(id="x", model="y"), *part("text", ""), SignatureDelta(index=0, text="sealed")]
    assert b"".join(map(encoder.send, quiet)) == b""


def test_a_refusal_is_text(scene: Scene) -> None:
    stream = written(scene, *part("refusal", "N", "o."), *part("text", " Sorry.", index=1))
    assert [message["content"] for message in messages(stream)] == ["N", "o.", " Sorry.", ""]


def test_a_refusal_overtakes_no_text_that_belongs_before_it(scene: Scene) -> None:
    stream = written(scene, *part("refusal", "N", "o.", index=2), *part("text", "Sorry. ", index=1))
    assert [message["content"] for message in messages(stream)] == ["Sorry. ", "No.", ""]


def test_other_choices_than_the_first_are_left_out(scene: Scene) -> None:
    other = [*part("text", "b", choice=1), Finished(reason="length", choice=1)]
    (last,) = lines(written(scene, *other))
    assert last["done_reason"] == "stop"


def test_log_probabilities_are_a_list_and_never_null(scene: Scene) -> None:
    rival = TokenAlternative(token="b", logprob=float("-inf"))
    token = TokenLogprob(token="a", logprob=-0.5, bytes=(97,), top=(rival,))
    first, _ = lines(written(scene, LogprobsReported(tokens=(token,))))
    assert first["message"] == {"role": "assistant", "content": ""}
    assert first["logprobs"] == [
        {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -9999.0}]}
    ]


def test_a_failure_is_a_last_line_with_the_error_alone(scene: Scene) -> None:
    encoder = DIALECT.encoder(scene)
    stream = b"".join(map(encoder.send, part("text", "Hi")))
    failed = encoder.send(Failed(error=Limited("slow <down>\u2028")))
    assert failed == b'{"error":"slow \\u003cdown\\u003e\\u2028"}\n'
    assert encoder.close() == b""
    assert b"done_reason" not in stream


def test_an_unknown_model_has_ollamas_words_also_within_a_stream(scene: Scene) -> None:
    failed = DIALECT.encoder(scene).send(Failed(error=UnknownModel("zz")))
    assert json.loads(failed) == {"error": "model 'zz' not found"}


@pytest.mark.parametrize("kind", ["text", "thinking"])
def test_characters_that_break_readers_are_escaped(scene: Scene, kind: PartKind) -> None:
    text = "a\u2028b\u2029c\x85d\re\nf<g>&😀"
    stream = written(scene, *part(kind, text), *call(1, json.dumps({"x": text}, ensure_ascii=False)))
    assert not any(raw in stream for raw in (b"\xe2\x80\xa8", b"\xe2\x80\xa9", b"\xc2\x85", b"<", b">", b"&"))
    said, called, _ = messages(stream)
    assert said["content"] + said.get("thinking", "") == text
    assert called["tool_calls"][0]["function"]["arguments"] == {"x": text}


def test_the_official_client_takes_every_line(scene: Scene) -> None:
    ollama = pytest.importorskip("ollama")
    stream = written(
        scene,
        *part("thinking", "Hm"),
        *part("text", "Hi", index=1),
        *call(2, '{"a":1}'),
        UsageReported(usage=Usage(input_tokens=1, output_tokens=2)),
    )
    answers = [ollama.ChatResponse.model_validate_json(line) for line in stream.splitlines()]
    assert [answer.message.thinking for answer in answers] == ["Hm", None, None, None]
    assert answers[2].message.tool_calls[0].function.arguments == {"a": 1}
    assert (answers[3].done, answers[3].eval_count) == (True, 2)
