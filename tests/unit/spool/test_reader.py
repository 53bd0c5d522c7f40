"""Reading: from memory and from files, what a segment is kept for, and what damage costs."""

from pathlib import Path

import msgspec
import pytest

from relay.adapters.outbound.spool import spool as spool_module
from relay.adapters.outbound.spool.reader import DEAD_LETTERS, SpoolReader
from relay.adapters.outbound.spool.segment import encode, segment_numbers, segment_path
from relay.adapters.outbound.spool.spool import Spool
from relay.application.settle_usage import RunEnded, Spooled
from tests.support.disk import full_disk
from tests.support.records import ended, entry, event_id, started

pytestmark = pytest.mark.anyio

FRAME = len(encode(started(1)))


async def read_all(reader: SpoolReader) -> list[Spooled]:
    records: list[Spooled] = []
    while read := await reader.read():
        records += read
    return records


def leave_behind(folder: Path, *segments: bytes) -> None:
    """What an earlier run left."""
    folder.mkdir(exist_ok=True)
    for number, data in enumerate(segments, start=1):
        segment_path(folder, number).write_bytes(data)


async def test_more_than_memory_keeps_is_read_from_the_files(tmp_path: Path) -> None:
    count = spool_module.RECENT_RECORDS + 500
    spool = Spool(tmp_path, segment_bytes=1000 * FRAME)
    reader = SpoolReader(spool)
    for number in range(count):
        spool.begin(started(number))
    assert reader.unread_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert await read_all(reader) == [started(number) for number in range(count)]
    assert reader.unread_bytes == 0
    reader.close()


async def test_reading_goes_on_from_memory_after_the_files(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    reader = SpoolReader(spool)
    for number in range(1, 4):
        spool.begin(started(number))
    spool.recent.popleft()
    assert await reader.read() == (started(1), started(2), started(3))
    spool.begin(started(4))
    segment_path(tmp_path, 1).unlink()
    assert await reader.read() == [started(4)]
    reader.close()


async def test_what_is_written_while_a_file_is_read_is_neither_lost_nor_read_twice(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=4 * FRAME)
    reader = SpoolReader(spool)
    seen: list[Spooled] = []
    for number in range(1, 60):
        spool.begin(started(number))
        if number % 7 == 0:
            spool.recent.clear()
        if number % 3 == 0:
            seen += await reader.read()
    assert seen + await read_all(reader) == [started(number) for number in range(1, 60)]
    reader.close()


async def test_a_half_written_frame_that_could_not_be_taken_back_is_stepped_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    reader = SpoolReader(spool)
    spool.begin(started(1))
    assert await reader.read() == [started(1)]
    torn = encode(started(2))[:50]
    with segment_path(tmp_path, 1).open("ab") as file:
        file.write(torn)
    with full_disk(FRAME + 50 + 10):
        spool.end(ended(1))
    spool.retry()
    spool.begin(started(3))
    assert await read_all(reader) == [ended(1), started(3)]
    reader.close()


async def test_a_segment_stays_while_one_of_its_starts_is_open(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=2 * FRAME)
    reader = SpoolReader(spool)
    spool.begin(started(1))
    for number in range(2, 8):
        spool.begin(started(number))
        spool.end(ended(number))
    await read_all(reader)
    reader.settled(event_id(number) for number in range(2, 8))
    assert 1 in segment_numbers(tmp_path)
    assert len(segment_numbers(tmp_path)) == 2, "the first, and the one being written"
    spool.end(ended(1))
    await read_all(reader)
    reader.settled([event_id(1)])
    assert 1 not in segment_numbers(tmp_path)
    reader.close()
    assert segment_numbers(tmp_path) == []


async def test_a_segment_stays_while_an_end_in_it_is_not_settled(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=FRAME)
    reader = SpoolReader(spool)
    spool.begin(started(1))
    spool.end(ended(1))
    spool.begin(started(2))
    spool.begin(started(3))
    await read_all(reader)
    reader.settled([event_id(2), event_id(3)])
    reader.close()
    assert set(segment_numbers(tmp_path)) == {1, 2}


async def test_what_was_not_read_is_never_removed(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=FRAME)
    reader = SpoolReader(spool)
    for number in range(1, 5):
        spool.begin(started(number))
    reader.settled([event_id(number) for number in range(1, 5)])
    reader.close()
    assert len(segment_numbers(tmp_path)) == 4


async def test_segments_of_several_runs_are_read_before_this_run(tmp_path: Path) -> None:
    leave_behind(tmp_path, encode(started(1)), encode(ended(1)) + encode(started(2)))
    spool = Spool(tmp_path)
    reader = SpoolReader(spool)
    spool.begin(started(3))
    assert await read_all(reader) == [started(1), ended(1), started(2), RunEnded(), started(3)]
    reader.close()


async def test_a_torn_tail_is_quarantined_and_the_rest_is_read(tmp_path: Path) -> None:
    torn = encode(ended(1))[:-7]
    leave_behind(tmp_path, encode(started(1)) + torn)
    reader = SpoolReader(Spool(tmp_path))
    assert await read_all(reader) == [started(1), RunEnded()]
    (bad,) = tmp_path.glob("*.bad")
    assert bad.read_bytes() == torn
    reader.settled([event_id(1)])
    reader.close()
    assert [path.name for path in tmp_path.iterdir()] == [bad.name]


async def test_segments_without_a_single_record_do_not_end_the_reading(tmp_path: Path) -> None:
    leave_behind(tmp_path, b"", b"\x00" * 5000, b"nonsense", encode(started(4)))
    reader = SpoolReader(Spool(tmp_path))
    assert await reader.read() == (started(4), RunEnded())
    assert segment_numbers(tmp_path) == [4]
    reader.close()


async def test_quarantined_bytes_outlive_later_runs(tmp_path: Path) -> None:
    for nonsense in (b"first", b"second"):
        leave = Spool(tmp_path)
        leave.begin(started(1))
        leave.close()
        segment_path(tmp_path, max(segment_numbers(tmp_path))).write_bytes(nonsense)
        reader = SpoolReader(Spool(tmp_path))
        await read_all(reader)
        reader.close()
    assert {path.read_bytes() for path in tmp_path.glob("*.bad")} == {b"first", b"second"}


async def test_a_segment_that_cannot_be_read_now_is_tried_again(tmp_path: Path) -> None:
    leave_behind(tmp_path, encode(started(1)), encode(ended(1)))
    reader = SpoolReader(Spool(tmp_path))
    hidden = segment_path(tmp_path, 1).rename(tmp_path / "hidden")
    segment_path(tmp_path, 1).mkdir()
    with pytest.raises(IsADirectoryError):
        await reader.read()
    segment_path(tmp_path, 1).rmdir()
    hidden.rename(segment_path(tmp_path, 1))
    assert await read_all(reader) == [started(1), ended(1), RunEnded()]
    reader.close()


async def test_reading_without_settling_is_replayed_as_it_was(tmp_path: Path) -> None:
    leave_behind(tmp_path, encode(started(1)) + encode(ended(1)))
    for _ in range(3):
        reader = SpoolReader(Spool(tmp_path))
        assert await read_all(reader) == [started(1), ended(1), RunEnded()]
        reader.close()


async def test_a_dead_letter_says_what_and_why(tmp_path: Path) -> None:
    reader = SpoolReader(Spool(tmp_path))
    reader.reject(entry(1), "does not fit")
    reader.reject(ended(2), "its start is missing")
    reader.close()
    first, second = (tmp_path / DEAD_LETTERS).read_bytes().splitlines()
    letter = msgspec.json.decode(first)
    assert letter["reason"] == "does not fit"
    assert letter["record"]["started"]["id"] == event_id(1)
    assert letter["record"]["ended"]["usage"]["output_tokens"] == 20
    assert msgspec.json.decode(second)["record"]["id"] == event_id(2)


async def test_reading_an_idle_spool_touches_no_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    reader = SpoolReader(spool)
    spool.begin(started(1))
    await read_all(reader)
    segment_path(tmp_path, 1).unlink()
    assert await reader.read() == ()
    reader.close()
