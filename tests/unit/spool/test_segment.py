"""Records survive framing, and what is whole survives any damage beside it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.outbound.spool.segment import (
    MARK,
    MAX_PAYLOAD_BYTES,
    encode,
    last_number,
    scan,
    segment_numbers,
    segment_path,
)
from relay.domain.ledger import AttemptContext, AttemptEnded, AttemptStarted
from relay.domain.resolution import TraceStep
from relay.domain.tags import Tag
from relay.domain.usage import USAGE_CLASSES, Usage
from tests.support.records import end_cleaned, ended, start_cleaned, started

FRAMES = [
    encode(record)
    for number in range(1, 4)
    for record in (started(number), ended(number, losses=("a" * 40,)))
]
RECORDS = scan(b"".join(FRAMES)).records


def test_what_is_framed_is_read_back() -> None:
    assert scan(encode(started()) + encode(ended())).records == (started(), ended())


def test_nothing_holds_nothing() -> None:
    assert scan(b"") == scan(b"")
    assert scan(b"").records == ()


@pytest.mark.parametrize("cut", range(1, 513))
def test_a_log_cut_anywhere_keeps_every_whole_record_and_quarantines_the_rest(cut: int) -> None:
    data = b"".join(FRAMES)
    found = scan(data[:-cut])
    whole, kept = 0, 0
    for frame in FRAMES:
        if whole + len(frame) > len(data) - cut:
            break
        whole, kept = whole + len(frame), kept + 1
    assert found.records == RECORDS[:kept]
    assert b"".join(found.damaged) == data[whole:-cut]


def test_a_flipped_byte_costs_the_record_it_is_in_and_no_other() -> None:
    data = b"".join(FRAMES)
    position = 0
    for number, frame in enumerate(FRAMES):
        others = RECORDS[:number] + RECORDS[number + 1 :]
        for offset in range(position, position + len(frame)):
            flipped = data[:offset] + bytes([data[offset] ^ 0xFF]) + data[offset + 1 :]
            found = scan(flipped)
            assert found.records == others, f"byte {offset}"
            assert sum(map(len, found.damaged)) == len(frame)
        position += len(frame)


def test_records_after_a_hole_of_zeros_are_read() -> None:
    found = scan(encode(started(1)) + bytes(4096) + encode(started(2)))
    assert found.records == (started(1), started(2))
    assert found.damaged == (bytes(4096),)


def test_a_text_cannot_pass_for_a_record() -> None:
    forged = encode(started(2)).decode("latin-1")
    hostile = start_cleaned(started(1, name_asked=forged))
    damaged = bytearray(encode(hostile))
    damaged[5] ^= 0xFF
    assert MARK not in encode(hostile)[4:]
    assert scan(bytes(damaged)).records == ()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"X" + msgspec.msgpack.encode(started()),
        b"S" + msgspec.msgpack.encode({"id": "x"}),
        b"E" + msgspec.msgpack.encode(started()),
        b"S\xc1",
        b"E" + msgspec.msgpack.encode([1, 2]),
        b"S" + msgspec.msgpack.encode(started())[:-1],
    ],
)
def test_a_sound_frame_around_nonsense_is_damage(payload: bytes) -> None:
    frame = framed(payload)
    found = scan(frame + encode(ended()))
    assert found.records == (ended(),)
    assert found.damaged == (frame,)


def test_invalid_text_inside_a_sound_frame_is_damage() -> None:
    payload = b"S" + msgspec.msgpack.encode(started()).replace(b"openai", b"open\xff\xfe", 1)
    assert scan(framed(payload)).records == ()


def test_a_length_beyond_all_bounds_is_damage_not_a_wait_for_more() -> None:
    frame = bytearray(encode(started()))
    frame[4:8] = (MAX_PAYLOAD_BYTES + 1).to_bytes(4, "little")
    assert scan(bytes(frame) + encode(ended())).records == (ended(),)


def test_a_record_of_a_later_version_with_more_fields_is_read() -> None:
    fields = msgspec.to_builtins(ended()) | {"invented_later": [1, 2]}
    assert scan(framed(b"E" + msgspec.msgpack.encode(fields))).records == (ended(),)


def test_segments_are_listed_by_age_and_strangers_are_left_alone(tmp_path: Path) -> None:
    for number in (12, 3, 1000):
        segment_path(tmp_path, number).touch()
    for stranger in ("notes.txt", "x.segment", "²³.segment", "dead-letters.ndjson"):
        (tmp_path / stranger).touch()
    assert segment_numbers(tmp_path) == [3, 12, 1000]


def test_numbers_of_quarantined_segments_are_not_used_again(tmp_path: Path) -> None:
    (tmp_path / "000000000007.0.bad").touch()
    assert last_number(tmp_path) == 7


texts = st.text(max_size=700)
counts = st.integers(-(2**70), 2**70)
contexts = st.builds(
    AttemptContext,
    attempt=counts,
    provider=texts,
    model=texts,
    name_asked=texts,
    resolved_by=texts,
    dialect=texts,
    stream=st.booleans(),
    trace=st.lists(
        st.builds(TraceStep, step=st.just("alias"), name=texts, found=texts), max_size=140
    ).map(tuple),
    tags=st.lists(st.builds(Tag, texts, texts, st.just("header")), max_size=40).map(tuple),
)  # fmt: skip
starts = st.builds(
    AttemptStarted,
    id=texts,
    request_id=texts,
    at_ms=counts,
    context=contexts,
    input_tokens_estimate=counts,
)
ends = st.builds(
    AttemptEnded,
    id=texts,
    outcome=st.just("ok"),
    status=counts,
    duration_ms=counts,
    first_ms=st.none() | counts,
    usage=st.dictionaries(st.sampled_from(USAGE_CLASSES), counts).map(Usage.from_counts),
    error_code=texts,
    losses=st.lists(texts, max_size=70).map(tuple),
)


@given(starts)
def test_any_start_once_cleaned_is_framed_and_read_back(record: AttemptStarted) -> None:
    cleaned = start_cleaned(record)
    assert scan(encode(cleaned)).records == (cleaned,)
    assert start_cleaned(cleaned) == cleaned


@given(ends)
def test_any_end_once_cleaned_is_framed_and_read_back(record: AttemptEnded) -> None:
    cleaned = end_cleaned(record)
    assert scan(encode(cleaned)).records == (cleaned,)
    assert end_cleaned(cleaned) == cleaned


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=3))
def test_any_bytes_are_scanned_without_an_error_and_without_losing_a_byte(data: bytes, at: list[int]) -> None:
    for offset in at:
        data = data[:offset] + FRAMES[0] + data[offset:]
    found: Any = scan(data)
    framed_bytes = sum(len(encode(record)) for record in found.records)
    assert framed_bytes + sum(map(len, found.damaged)) == len(data)


def framed(payload: bytes) -> bytes:
    """A frame whose length and checksum are right, whatever is in it."""
    import struct
    import zlib

    return struct.pack("<4sII", MARK, len(payload), zlib.crc32(payload)) + payload
