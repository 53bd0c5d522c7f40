"""Time, identity and chance."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from relay.adapters.outbound.system import SystemClock, SystemEntropy, UuidV7Ids


def test_the_clock_is_the_systems() -> None:
    clock = SystemClock()
    assert abs(clock.unix_ms() - time.time() * 1000) < 1000
    assert abs(clock.unix_ns() / 1e6 - clock.unix_ms()) < 1000
    assert clock.monotonic() <= clock.monotonic()


def test_ids_are_uuids_of_version_7_that_carry_the_time() -> None:
    before_ms = time.time_ns() // 1_000_000
    made = uuid.UUID(text := UuidV7Ids().new())
    assert (str(made), made.version, made.variant) == (text, 7, uuid.RFC_4122)
    assert before_ms <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_rise_also_within_one_millisecond() -> None:
    ids = UuidV7Ids()
    made = [ids.new() for _ in range(20_000)]
    assert made == sorted(set(made))
    assert all(uuid.UUID(text).version == 7 for text in made[::100])


def test_ids_rise_also_when_the_wall_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = UuidV7Ids()
    before = ids.new()
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)
    stepped = [ids.new() for _ in range(100)]
    assert [before, *stepped] == sorted({before, *stepped})
    assert uuid.UUID(stepped[-1]).int >> 80 == uuid.UUID(before).int >> 80


def test_an_exhausted_millisecond_carries_into_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 5_000_000)
    monkeypatch.setattr("os.urandom", lambda count: b"\xff" * count)
    ids = UuidV7Ids()
    first, second = uuid.UUID(ids.new()), uuid.UUID(ids.new())
    assert (first.int >> 80, second.int >> 80) == (5, 6)
    assert (second.version, second.variant) == (7, uuid.RFC_4122)
    assert first < second


def test_ids_of_several_processes_or_threads_do_not_meet() -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: [ids.new() for ids in [UuidV7Ids()] * 500], range(8)))
    assert len({text for some in made for text in some}) == 4000


def test_random_bytes_are_as_many_as_asked_and_never_the_same() -> None:
    entropy = SystemEntropy()
    assert len({entropy.random_bytes(32) for _ in range(100)}) == 100
    assert len(entropy.random_bytes(8)) == 8
