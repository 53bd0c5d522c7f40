"""Frames come out of bytes the same however the bytes were cut, and never grow without bound."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.dialects.framing import LineSplitter, SseEvent, SseSplitter, sse_frame
from relay.domain.errors import Malformed
from tests.support.strategies.cuts import chunked, sizes
from tests.support.strategies.texts import texts

line_ends = st.sampled_from((b"\n", b"\r\n", b"\r"))
sse_lines = st.one_of(
    st.sampled_from(
        (b"", b"data", b"data:", b"data: {}", b"data:{}", b"data:  x", b": ping", b"event: error")
    ),
    st.sampled_from(
        (b"event:", b"id: 7", b"retry: 10", b"unknown: x", b"DATA: x", b"\xef\xbb\xbfdata: late bom")
    ),
    texts(max_pieces=2).map(lambda text: b"data: " + re.sub(r"[\r\n]", "", text).encode()),
)
sse_streams = st.builds(
    lambda bom, lines: bom + b"".join(line + end for line, end in lines),
    st.sampled_from((b"", b"\xef\xbb\xbf")),
    st.lists(st.tuples(sse_lines, line_ends), max_size=12),
)


def sse(data: bytes, lengths: list[int] | None = None) -> list[SseEvent]:
    splitter = SseSplitter()
    events = [
        event for chunk in chunked(data, lengths or [max(1, len(data))]) for event in splitter.feed(chunk)
    ]
    return events + splitter.close()


def lines(data: bytes, lengths: list[int] | None = None) -> list[bytes]:
    splitter = LineSplitter()
    found = [line for chunk in chunked(data, lengths or [max(1, len(data))]) for line in splitter.feed(chunk)]
    return found + splitter.close()


def by_the_standard(data: bytes) -> list[SseEvent]:
    """The WHATWG event-stream algorithm, line by line; an event left open at the end is dispatched too."""
    events, name, payload = [], "", list[bytes]()
    for line in [*re.split(rb"\r\n|\n|\r", data.removeprefix(b"\xef\xbb\xbf")), b""]:
        if not line:
            if payload:
                events.append(SseEvent(name, b"\n".join(payload)))
            name, payload = "", []
            continue
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"data":
            payload.append(value)
        elif field == b"event":
            name = value.decode()
    return events


@given(sse_streams, sizes)
def test_events_are_those_of_the_standard_for_every_cut(data: bytes, lengths: list[int]) -> None:
    expected = by_the_standard(data)
    assert sse(data) == expected
    assert sse(data, lengths) == expected
    assert sse(data, [1]) == expected


@given(
    st.lists(st.tuples(texts(max_pieces=3), st.sampled_from((b"\n", b"\r\n", b"\n\n"))), max_size=8), sizes
)
def test_lines_are_split_on_lf_alone_for_every_cut(
    written: list[tuple[str, bytes]], lengths: list[int]
) -> None:
    texts_only = [text.replace("\n", "").rstrip("\r").encode() for text, _ in written]
    data = b"".join(text + end for text, (_, end) in zip(texts_only, written, strict=True))
    expected = [text for text in texts_only if text]
    assert lines(data) == expected
    assert lines(data, lengths) == expected
    assert lines(data, [1]) == expected


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_a_separator_inside_a_string_is_no_line_end(separator: str) -> None:
    payload = f'{{"a":"x{separator}y"}}'.encode()
    assert lines(payload + b"\n") == [payload]
    assert sse(b"data: " + payload + b"\n\n") == [SseEvent("", payload)]


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"", []),
        (b"\n\n\n", []),
        (b": ping\n\n: OPENROUTER PROCESSING\n\n", []),
        (b"event: lonely\n\n", []),
        (b"data: a\ndata: b\n\n", [SseEvent("", b"a\nb")]),
        (b"data\n\n", [SseEvent("", b"")]),
        (b"event: error\ndata: x\n\ndata: y\n\n", [SseEvent("error", b"x"), SseEvent("", b"y")]),
        (b"data: cut off", [SseEvent("", b"cut off")]),
        (b"data: one line end\n", [SseEvent("", b"one line end")]),
        (b"data: {}   \n\n", [SseEvent("", b"{}   ")]),
        (b"event: \xff\ndata: x\n\n", [SseEvent("\ufffd", b"x")]),
    ],
)
def test_what_providers_really_send(data: bytes, events: list[SseEvent]) -> None:
    assert sse(data) == events
    assert sse(data, [1]) == events


def test_the_last_line_needs_no_line_end() -> None:
    assert lines(b'{"a":1}\n{"b":2}') == [b'{"a":1}', b'{"b":2}']


def test_a_closed_splitter_is_empty() -> None:
    line_splitter, sse_splitter = LineSplitter(), SseSplitter()
    line_splitter.feed(b"x")
    sse_splitter.feed(b"data: x")
    assert (line_splitter.close(), line_splitter.close()) == ([b"x"], [])
    assert (sse_splitter.close(), sse_splitter.close()) == ([SseEvent("", b"x")], [])


LIMIT = 64


def feed_all(splitter: LineSplitter | SseSplitter, chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        splitter.feed(chunk)


@pytest.mark.parametrize("cut", [1, 7, LIMIT * 2])
def test_a_frame_may_be_exactly_as_long_as_the_limit(cut: int) -> None:
    payload = b"x" * LIMIT
    splitter = LineSplitter(LIMIT)
    assert [line for chunk in chunked(payload + b"\n", [cut]) for line in splitter.feed(chunk)] == [payload]
    value = b"x" * (LIMIT - len(b"data: "))
    events = SseSplitter(LIMIT)
    fed = b"data: " + value + b"\n\n"
    assert [event.data for chunk in chunked(fed, [cut]) for event in events.feed(chunk)] == [value]


ENDLESS = {
    "a line without end": b"x",
    "an event of many lines": b"data: x\n",
    "an event of many empty lines": b"data:\n",
    "a comment without end": b":",
}


@pytest.mark.parametrize("piece", ENDLESS.values(), ids=ENDLESS.keys())
@pytest.mark.parametrize("repeats", [1, 5, 1000])
def test_an_sse_frame_over_the_limit_is_malformed_at_once(piece: bytes, repeats: int) -> None:
    splitter = SseSplitter(LIMIT)
    splitter.feed(b"data: started\n")
    feeds = -(-LIMIT // repeats) + 1
    with pytest.raises(Malformed, match="exceeds 64 bytes"):
        feed_all(splitter, [piece * repeats] * feeds)


@pytest.mark.parametrize("cut", [1, 5, 1000])
def test_a_line_over_the_limit_is_malformed_whether_or_not_its_end_came_along(cut: int) -> None:
    for data in (b"x" * (LIMIT + 1), b"x" * (LIMIT + 1) + b"\n", b"a\n" + b"x" * (LIMIT + 1) + b"\nb\n"):
        splitter = LineSplitter(LIMIT)
        with pytest.raises(Malformed, match="exceeds 64 bytes"):
            feed_all(splitter, chunked(data, [cut]))


def test_a_long_stream_of_short_frames_is_never_over_the_limit() -> None:
    line_splitter, sse_splitter = LineSplitter(LIMIT), SseSplitter(LIMIT)
    for _ in range(50):
        assert len(line_splitter.feed(b'{"a":1}\n' * 40)) == 40
        assert len(sse_splitter.feed(b'data: {"a":1}\n\n' * 40)) == 40


def test_a_frame_is_spelled_as_it_is_read() -> None:
    assert sse_frame(b"{}") == b"data: {}\n\n"
    assert sse_frame(b"{}", "error") == b"event: error\ndata: {}\n\n"
    assert sse(sse_frame(b"{}", "error") + sse_frame(b"[DONE]")) == [
        SseEvent("error", b"{}"),
        SseEvent("", b"[DONE]"),
    ]
