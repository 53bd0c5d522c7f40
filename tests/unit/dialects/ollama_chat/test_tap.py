"""What passes through between a client and a provider that both speak Ollama."""

import pytest

from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.ollama_chat import DIALECT
from relay.domain.errors import Interrupted, Malformed, Overloaded
from relay.domain.events import Failed, Finished, PartDelta, PartStarted, StreamEvent, UsageReported
from relay.domain.usage import Usage

HI = (
    b'{"model":"qwen3:8b","created_at":"2026-08-21T10:00:00Z","message":{"role":"assistant","content":"Hi"},'
    b'"done":false}\n'
)
DONE = (
    b'{"model":"qwen3:8b","created_at":"2026-08-21T10:00:01Z","message":{"role":"assistant","content":""},"done":true,'
    b'"done_reason":"stop","total_duration":5,"prompt_eval_count":12,"eval_count":2}\n'
)


def renamed(data: bytes) -> bytes:
    return data.replace(b'"model":"qwen3:8b"', b'"model":"basic"')


def tapped(scene: Scene, *chunks: bytes) -> tuple[list[StreamEvent], bytes]:
    tap = DIALECT.tap(scene)
    seen = [*map(tap.feed, chunks), tap.close()]
    return [event for each in seen for event in each.events], b"".join(each.raw for each in seen)


def failure(events: list[StreamEvent]) -> Exception:
    assert isinstance(events[-1], Failed)
    return events[-1].error


def test_lines_pass_under_the_name_the_client_used(scene: Scene) -> None:
    assert tapped(scene, HI + HI, DONE)[1] == renamed(HI + HI + DONE)


def test_the_last_line_is_kept_back_for_the_end(scene: Scene) -> None:
    tap = DIALECT.tap(scene)
    assert tap.feed(HI + DONE).raw == renamed(HI)
    assert tap.close().raw == renamed(DONE)


def test_content_usage_and_finish_are_seen(scene: Scene) -> None:
    events, _ = tapped(scene, HI + DONE)
    assert PartStarted(index=1, kind="text") in events
    assert PartDelta(index=1, text="Hi") in events
    assert UsageReported(usage=Usage(input_tokens=12, output_tokens=2)) in events
    assert events[-1] == Finished(reason="stop", raw_reason="stop")


@pytest.mark.parametrize("size", [1, 7, 64])
def test_cuts_change_nothing(scene: Scene, size: int) -> None:
    stream = HI + b"\n" + HI + DONE
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert tapped(scene, *chunks) == tapped(scene, stream)


def test_a_model_that_does_not_come_first_is_renamed_too(scene: Scene) -> None:
    odd = b'{"done":false,"n":1.0, "model" : "qwen3:8b","message":{"content":"a", "role":"assistant"}}\n'
    _, raw = tapped(scene, odd, DONE)
    assert raw == (
        b'{"done":false,"n":1.0,"model":"basic","message":{"content":"a", "role":"assistant"}}\n'
        + renamed(DONE)
    )


def test_a_line_that_already_has_the_right_name_is_not_touched(scene: Scene) -> None:
    own = b'{ "model": "basic", "message": {"content": "a"}, "done": false }\n'
    assert tapped(scene, own, DONE)[1] == own + renamed(DONE)


def test_raw_line_separators_are_escaped_on_their_way(scene: Scene) -> None:
    raw = tapped(scene, HI.replace(b"Hi", "a\u2028b\u2029c\x85d".encode()), DONE)[1]
    assert raw == renamed(HI.replace(b"Hi", b"a\\u2028b\\u2029c\\u0085d") + DONE)


def test_a_line_that_strict_readers_refuse_is_mended(scene: Scene) -> None:
    events, raw = tapped(scene, HI.replace(b"Hi", b"\\ud83d"), DONE)
    assert PartDelta(index=1, text="\ufffd") in events
    assert raw == renamed(HI.replace(b"Hi", "\ufffd".encode()) + DONE)


def test_after_an_error_line_nothing_passes(scene: Scene) -> None:
    events, raw = tapped(scene, HI + b'{"error":"the runner died"}\n' + HI + DONE)
    assert isinstance(failure(events), Overloaded)
    assert raw == renamed(HI)


def test_an_answer_that_is_not_complete_has_no_last_line(scene: Scene) -> None:
    events, raw = tapped(scene, HI + HI[:20])
    assert isinstance(failure(events), Interrupted)
    assert raw == renamed(HI)


def test_garbage_does_not_pass(scene: Scene) -> None:
    events, raw = tapped(scene, HI, b"<html>\n")
    assert isinstance(failure(events), Malformed)
    assert raw == renamed(HI)


def test_a_last_line_without_a_line_end_gets_one(scene: Scene) -> None:
    assert tapped(scene, HI, DONE.rstrip(b"\n"))[1] == renamed(HI + DONE)


def test_what_follows_the_last_line_does_not_pass(scene: Scene) -> None:
    assert tapped(scene, DONE + HI, b"garbage\n")[1] == renamed(DONE)
