"""Writing: segments, their limits, full and failing disks, and what reaches the disk when."""

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.adapters.outbound.spool.segment import encode, scan, segment_numbers, segment_path
from relay.adapters.outbound.spool.spool import Spool
from relay.domain.errors import AccountingUnavailable
from relay.domain.ledger import AttemptStarted
from tests.support.disk import full_disk
from tests.support.records import ended, started

FRAME = len(encode(started(1)))


def contents(folder: Path) -> list[object]:
    numbers = segment_numbers(folder)
    return [
        record for number in numbers for record in scan(segment_path(folder, number).read_bytes()).records
    ]


def wait_until(fits: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not fits():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_record_is_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.begin(started(1))
    assert contents(spool.folder) == [started(1)]
    spool.end(ended(1))
    assert contents(spool.folder) == [started(1), ended(1)]
    spool.close()


def test_what_is_written_is_cleaned_first(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.begin(started(1, model="a\x00b"))
    spool.close()
    (record,) = contents(tmp_path)
    assert isinstance(record, AttemptStarted)
    assert record.context.model == "a\ufffdb"


def test_no_file_is_made_before_there_is_something_to_write(tmp_path: Path) -> None:
    Spool(tmp_path / "spool").close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_only_the_owner_may_look_into_the_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.begin(started(1))
    spool.close()
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(segment_path(spool.folder, 1).stat().st_mode) == 0o600


def test_a_full_segment_is_followed_by_another(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=3 * FRAME)
    for number in range(1, 8):
        spool.begin(started(number))
    spool.close()
    assert len(segment_numbers(tmp_path)) == 3
    assert contents(tmp_path) == [started(number) for number in range(1, 8)]


def test_a_new_run_never_writes_into_an_old_segment(tmp_path: Path) -> None:
    for run in (1, 2):
        spool = Spool(tmp_path)
        spool.begin(started(run))
        spool.close()
    assert segment_numbers(tmp_path) == [1, 2]


def test_a_spool_at_its_limit_refuses_starts_and_takes_every_end(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=2 * FRAME, limit_bytes=4 * FRAME)
    for number in range(1, 5):
        spool.begin(started(number))
    with pytest.raises(AccountingUnavailable):
        spool.begin(started(5))
    assert "2 segments are not settled yet" in spool.problem
    for number in range(1, 5):
        spool.end(ended(number))
    with pytest.raises(AccountingUnavailable):
        spool.begin(started(6))
    spool.retry()
    assert spool.problem
    spool.close()
    assert [record for record in contents(tmp_path) if not isinstance(record, AttemptStarted)] == [
        ended(number) for number in range(1, 5)
    ]


def test_a_record_that_does_not_fit_on_the_disk_leaves_nothing_of_itself(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.begin(started(1))
    with full_disk(FRAME + 100), pytest.raises(AccountingUnavailable):
        spool.begin(started(2))
    assert segment_path(tmp_path, 1).stat().st_size == FRAME
    assert "No space left on device" in spool.problem
    spool.begin(started(3))
    assert spool.problem == ""
    spool.close()
    assert contents(tmp_path) == [started(1), started(3)]


def test_ends_wait_for_room_and_none_is_lost(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for number in range(1, 101):
        spool.begin(started(number))
    with full_disk():
        for number in range(1, 101):
            spool.end(ended(number))
        spool.retry()
        assert spool.problem
    spool.retry()
    assert spool.problem == ""
    spool.close()
    assert contents(tmp_path)[100:] == [ended(number) for number in range(1, 101)]


def test_the_spool_notices_by_itself_that_there_is_room_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with full_disk(), pytest.raises(AccountingUnavailable):
        spool.begin(started(1))
    with full_disk():
        spool.retry()
        assert spool.problem
    spool.retry()
    assert spool.problem == ""
    spool.close()
    assert contents(tmp_path) == []


def test_without_room_for_a_new_segment_the_old_one_takes_the_ends(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", segment_bytes=FRAME)
    spool.begin(started(1))
    away = tmp_path / "away"
    spool.folder.rename(away)
    spool.end(ended(1))
    with pytest.raises(AccountingUnavailable):
        spool.begin(started(2))
    away.rename(spool.folder)
    spool.begin(started(3))
    spool.close()
    assert contents(spool.folder) == [started(1), ended(1), started(3)]


def test_an_unusable_folder_is_an_error_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "spool").touch()
    with pytest.raises(OSError, match="exists"):
        Spool(tmp_path / "spool")


class Disk:
    """Counts syncs; while `error` is set each of them fails."""

    def __init__(self) -> None:
        self.synced: list[int] = []
        self.error: OSError | None = None

    def sync(self, descriptor: int) -> None:
        if self.error is not None:
            raise self.error
        os.fdatasync(descriptor)
        self.synced.append(os.fstat(descriptor).st_ino)


def test_what_was_written_is_forced_to_the_disk_within_a_moment(tmp_path: Path) -> None:
    disk = Disk()
    spool = Spool(tmp_path, sync=disk.sync)
    time.sleep(0.3)
    assert disk.synced == []
    begun = time.monotonic()
    spool.begin(started(1))
    wait_until(lambda: len(disk.synced) == 1)
    assert time.monotonic() - begun < 1.0
    time.sleep(0.3)
    assert len(disk.synced) == 1, "an idle spool is left alone"
    spool.close()


def test_many_records_are_forced_to_the_disk_sooner(tmp_path: Path) -> None:
    disk = Disk()
    spool = Spool(tmp_path, sync=disk.sync)
    begun = time.monotonic()
    for number in range(64):
        spool.begin(started(number))
    wait_until(lambda: len(disk.synced) >= 1)
    assert time.monotonic() - begun < 0.19
    spool.close()


def test_a_finished_segment_is_synced_before_it_is_closed(tmp_path: Path) -> None:
    disk = Disk()
    spool = Spool(tmp_path, segment_bytes=FRAME, sync=disk.sync)
    for number in range(1, 4):
        spool.begin(started(number))
    spool.close()
    inodes = {segment_path(tmp_path, number).stat().st_ino for number in segment_numbers(tmp_path)}
    assert inodes <= set(disk.synced)


def test_a_disk_that_cannot_sync_stops_new_attempts_until_it_can(tmp_path: Path) -> None:
    disk = Disk()
    spool = Spool(tmp_path, sync=disk.sync)
    disk.error = OSError(errno.EIO, os.strerror(errno.EIO))
    spool.begin(started(1))
    wait_until(lambda: spool.problem != "")
    assert "Input/output error" in spool.problem
    with pytest.raises(AccountingUnavailable):
        spool.begin(started(2))
    spool.end(ended(1))
    disk.error = None
    wait_until(lambda: spool.problem == "")
    spool.begin(started(3))
    spool.close()
    assert contents(tmp_path) == [started(1), ended(1), started(3)]


def test_closing_survives_a_disk_that_fails(tmp_path: Path) -> None:
    disk = Disk()
    spool = Spool(tmp_path, sync=disk.sync)
    spool.begin(started(1))
    disk.error = OSError(errno.EIO, os.strerror(errno.EIO))
    spool.close()
    assert contents(tmp_path) == [started(1)]


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    def open_files() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = open_files()
    spool = Spool(tmp_path, segment_bytes=FRAME)
    for number in range(20):
        spool.begin(started(number))
    spool.close()
    assert open_files() == before
