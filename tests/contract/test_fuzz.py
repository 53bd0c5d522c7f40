"""Broken bodies are put to every decoder: a slice of what `make fuzz` does at length."""

import time

import pytest

from relay.adapters.dialects.registry import CLIENT_DIALECTS, DIALECTS
from relay.domain.errors import InvalidRequest
from tools.fuzz import fuzz
from tools.fuzz_targets import Target, targets

SEED = 20_261_124


def test_every_decoder_of_the_registry_is_among_the_targets() -> None:
    names = {target.name for target in targets()}
    for dialect in CLIENT_DIALECTS:
        assert f"{dialect} request" in names
    for dialect in DIALECTS:
        assert {f"{dialect} stream", f"{dialect} answer", f"{dialect} tap", f"{dialect} error"} <= names
    assert all(target.bodies for target in targets())


def test_broken_bodies_are_read_or_declared_wrong() -> None:
    assert list(fuzz(SEED, targets(), rounds=100, seconds=10)) == []


@pytest.mark.slow
def test_broken_bodies_are_read_or_declared_wrong_for_twenty_seconds() -> None:
    assert list(fuzz(time.time_ns(), targets(), seconds=20)) == []


def test_a_decoder_that_lets_another_error_escape_is_found_and_the_same_seed_finds_the_same() -> None:
    planted = Target("planted", [b'{"a":1}'], lambda body, _: dict[bytes, int]()[body], InvalidRequest)
    declared = Target("declared", [b"{}"], lambda body, _: _refuse(), InvalidRequest)
    found = list(fuzz(SEED, [planted, declared], rounds=3))
    assert [finding.target for finding in found] == ["planted"] * 3
    assert all(finding.why.startswith("KeyError") for finding in found)
    assert found == list(fuzz(SEED, [planted, declared], rounds=3))


def _refuse() -> None:
    raise InvalidRequest("no")
