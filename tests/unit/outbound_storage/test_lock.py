"""One database, one writing process."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.adapters.outbound.storage.lock import DatabaseBusy, DatabaseLock, beside

HOLDER = """
import sys, time
from pathlib import Path
from relay.adapters.outbound.storage.lock import DatabaseLock
lock = DatabaseLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the database."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "relay.db")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_at_once_who_has_the_database(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    begun = time.monotonic()
    with pytest.raises(DatabaseBusy, match=rf"relay\.db is in use by another relay \(process {holder.pid}\)"):
        DatabaseLock(tmp_path / "relay.db")
    assert time.monotonic() - begun < 1


def test_a_second_process_exits_within_two_seconds(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOLDER, str(tmp_path / "relay.db")],
        capture_output=True,
        timeout=2,
        check=False,
    )
    assert done.returncode != 0
    assert b"in use by another relay" in done.stderr


def test_a_killed_process_lets_go(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.wait()
    with DatabaseLock(tmp_path / "relay.db"):
        assert beside(tmp_path / "relay.db", ".lock").read_text() == f"{os.getpid()}\n"


def test_a_released_lock_can_be_had_again(tmp_path: Path) -> None:
    for _ in range(3):
        with DatabaseLock(tmp_path / "relay.db"), pytest.raises(DatabaseBusy):
            DatabaseLock(tmp_path / "relay.db")


def test_a_link_to_a_database_is_the_same_database(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "relay.db")
    with DatabaseLock(tmp_path / "relay.db"), pytest.raises(DatabaseBusy):
        DatabaseLock(tmp_path / "link.db")


def test_another_database_beside_it_is_free(tmp_path: Path) -> None:
    with DatabaseLock(tmp_path / "relay.db"), DatabaseLock(tmp_path / "other.db"):
        pass
