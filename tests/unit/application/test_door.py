"""Nobody beyond this machine is let in without a key, unless it was said so."""

import pytest

from relay.application.authenticate import AuthMode
from relay.application.door import Door
from relay.domain.keys import KeyRecord
from tests.support.fakes_keys import MemoryKeys

KEY = {"aaaa": KeyRecord(public_id="aaaa", name="web", digest=b"")}


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("relay.example", False),
    ],
)
def test_only_addresses_of_this_machine_are_loopback(host: str, is_loopback: bool) -> None:
    door = Door(host=host, keys=MemoryKeys())
    assert door.on_loopback is is_loopback
    assert door.stands_open("open") is not is_loopback


@pytest.mark.parametrize(
    ("mode", "without_keys", "with_keys"),
    [("open", True, True), ("auto", True, False), ("keys", False, False)],
)
def test_beyond_this_machine_a_key_must_be_demanded(
    mode: AuthMode, without_keys: bool, with_keys: bool
) -> None:
    assert Door(host="0.0.0.0", keys=MemoryKeys()).stands_open(mode) is without_keys
    assert Door(host="0.0.0.0", keys=MemoryKeys(dict(KEY))).stands_open(mode) is with_keys


def test_who_says_insecure_has_an_open_door_whatever_the_file_says() -> None:
    door = Door(host="0.0.0.0", keys=MemoryKeys(), insecure=True)
    assert door.mode("keys") == "open"
    assert not door.stands_open("open")
    assert Door(host="0.0.0.0", keys=MemoryKeys()).mode("keys") == "keys"
