"""A process that is killed at any moment leaves every record it was told is written."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from relay.adapters.outbound.spool.segment import scan, segment_numbers, segment_path
from relay.domain.ledger import AttemptEnded, AttemptStarted

ROUNDS = 20
WRITER = """
import sys
from pathlib import Path
from relay.adapters.outbound.spool.spool import Spool
from tests.support.records import ended, started

spool = Spool(Path(sys.argv[1]), segment_bytes=20_000)
number = 0
while True:
    number += 1
    spool.begin(started(number))
    spool.end(ended(number))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def last_answered(folder: Path, lifetime_s: float) -> int:
    """Let a writer run, kill it, and say which attempt was the last it had told of as ended."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as writer:
        assert writer.stdout is not None
        told = writer.stdout.readline()
        try:
            writer.wait(lifetime_s)
        except subprocess.TimeoutExpired:
            writer.kill()
        told += writer.stdout.read()
    return int(told[: told.rindex(b"\n")].rsplit(b"\n", 1)[-1])


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_no_ended_record_is_lost_by_a_kill_at_a_random_moment(tmp_path: Path, seed: int) -> None:
    answered = last_answered(tmp_path, random.Random(seed).uniform(0.001, 0.04))
    found = [scan(segment_path(tmp_path, number).read_bytes()) for number in segment_numbers(tmp_path)]
    records = [record for part in found for record in part.records]
    begun = [record.id for record in records if isinstance(record, AttemptStarted)]
    ended = [record.id for record in records if isinstance(record, AttemptEnded)]
    assert len(ended) >= answered > 0
    assert begun[: len(ended)] == ended
    assert len(begun) - len(ended) in {0, 1}
    assert not any(part.damaged for part in found[:-1])
