"""Who calls: open mode, keys mode, and the tags a credential carries."""

from dataclasses import dataclass, replace

import pytest

from relay.application.authenticate import Authenticate, AuthMode
from relay.domain.errors import Unauthenticated
from relay.domain.keys import KeyRecord, digest, mint, public_id
from relay.domain.tags import Tag
from tests.support.fakes_chat import TickingClock

KEY = mint(b"\x01" * 8, b"\xff" * 32)
OTHER = mint(b"\x01" * 8, b"\xfe" * 32)
RECORD = KeyRecord(
    public_id=public_id(KEY) or "", name="ci", digest=digest(KEY), tags=(Tag("team", "web", "key"),)
)


@dataclass(frozen=True)
class Ring:
    records: tuple[KeyRecord, ...] = ()

    def find(self, public_id: str) -> KeyRecord | None:
        return next((record for record in self.records if record.public_id == public_id), None)

    def any_exist(self) -> bool:
        return bool(self.records)


class Wall(TickingClock):
    def monotonic(self) -> float:
        return 0.0


def authenticate(*records: KeyRecord, mode: AuthMode = "keys", on_loopback: bool = True) -> Authenticate:
    return Authenticate(keys=Ring(records), clock=Wall(), mode=mode, on_loopback=on_loopback)


def test_a_key_names_its_caller_and_brings_its_tags_before_those_of_the_bearer() -> None:
    caller = authenticate(RECORD)(f"{KEY},alice,project:x")
    assert caller.key is RECORD
    assert [str(tag) for tag in caller.tags] == ["team:web", "tag:alice", "project:x"]


@pytest.mark.parametrize("credential", [None, "", "alice", "sk-abc", OTHER, KEY[:-1] + "!"])
def test_keys_mode_refuses_whoever_has_no_key_of_this_relay(credential: str | None) -> None:
    with pytest.raises(Unauthenticated):
        authenticate(RECORD)(credential)


@pytest.mark.parametrize(
    "record", [replace(RECORD, revoked_ms=1), replace(RECORD, expires_ms=1_700_000_000_000)]
)
def test_a_revoked_or_expired_key_is_refused_even_in_open_mode(record: KeyRecord) -> None:
    with pytest.raises(Unauthenticated):
        authenticate(record, mode="open")(KEY)


def test_open_mode_reads_the_bearer_as_tags_and_drops_placeholders_and_secrets() -> None:
    caller = authenticate(mode="open")("ollama,alice,sk-proj-abcdefghijklmnopqrstuvwxyz0123456789")
    assert caller.key is None
    assert [str(tag) for tag in caller.tags] == ["tag:alice"]


def test_a_wrong_key_is_refused_in_open_mode_too() -> None:
    with pytest.raises(Unauthenticated):
        authenticate(RECORD, mode="open")(OTHER)


@pytest.mark.parametrize(
    ("mode", "on_loopback", "records", "is_open"),
    [
        ("auto", True, (), True),
        ("auto", True, (RECORD,), False),
        ("auto", False, (), False),
        ("open", False, (RECORD,), True),
        ("keys", True, (), False),
    ],
)
def test_auto_is_open_only_on_loopback_while_no_key_exists(
    mode: AuthMode, on_loopback: bool, records: tuple[KeyRecord, ...], is_open: bool
) -> None:
    assert authenticate(*records, mode=mode, on_loopback=on_loopback).is_open is is_open
