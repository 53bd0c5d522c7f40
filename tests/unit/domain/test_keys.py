"""Keys: read by position, refused when a single character is off."""

from collections.abc import Callable
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.keys import (
    KEY_CHARACTERS,
    PUBLIC_BYTES,
    SECRET_BYTES,
    KeyRecord,
    digest,
    fits,
    mint,
    public_id,
)

publics = st.binary(min_size=PUBLIC_BYTES, max_size=PUBLIC_BYTES)
secrets = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)
keys = st.builds(mint, publics, secrets)


def record_of(key: str) -> KeyRecord:
    identity = public_id(key)
    assert identity is not None
    return KeyRecord(public_id=identity, name="k", digest=digest(key))


@given(keys)
def test_a_minted_key_is_found_and_fits(key: str) -> None:
    assert len(key) == KEY_CHARACTERS
    assert key[3:15] == public_id(key)
    assert fits(key, record_of(key))


@given(keys, st.integers(0, KEY_CHARACTERS - 1), st.sampled_from(ascii_letters + digits + "_-é\ud800"))
def test_a_key_with_one_character_changed_never_fits(key: str, place: int, other: str) -> None:
    forged = key[:place] + other + key[place + 1 :]
    if forged == key:
        return
    assert public_id(forged) is None, "the checksum refuses it without a lookup"
    if other.isascii():
        assert not fits(forged, record_of(key))


@given(publics, secrets, secrets)
def test_another_secret_under_the_same_public_id_does_not_fit(public: bytes, one: bytes, two: bytes) -> None:
    key, other = mint(public, one), mint(public, two)
    assert public_id(key) == public_id(other)
    assert fits(other, record_of(key)) == (one == two)


@pytest.mark.parametrize("secret", [b"\xff" * SECRET_BYTES, b"\xfb\xef\xbe" * 10 + b"\xfb\xef"])
def test_a_secret_full_of_underscores_or_dashes_is_read_by_position(secret: bytes) -> None:
    key = mint(b"\x00" * PUBLIC_BYTES, secret)
    assert key.count("_") > 10 or key.count("-") > 10
    assert public_id(key) == "aaaaaaaaaaaa"


def test_a_key_is_not_what_is_stored() -> None:
    key = mint(b"\x01" * PUBLIC_BYTES, b"\x02" * SECRET_BYTES)
    record = record_of(key)
    assert len(record.digest) == 32
    assert key[16:59] not in repr(record)


@given(st.one_of(st.text(max_size=80), st.from_regex(r"lr_[a-z2-7]{12}_[A-Za-z0-9_-]{49}", fullmatch=True)))
def test_garbage_has_no_public_id(text: str) -> None:
    assert public_id(text) is None


@pytest.mark.parametrize(
    "change", [str.upper, lambda key: key + "\n", lambda key: " " + key, lambda key: key[:-1]]
)
def test_a_key_is_taken_literally(change: Callable[[str], str]) -> None:
    assert public_id(change(mint(b"\x01" * PUBLIC_BYTES, b"\x02" * SECRET_BYTES))) is None


@pytest.mark.parametrize(
    ("expires_ms", "revoked_ms", "now_ms", "live"),
    [
        (0, 0, 10**15, True),
        (1000, 0, 999, True),
        (1000, 0, 1000, False),
        (0, 5, 1, False),
        (1000, 5, 1, False),
    ],
)
def test_a_key_lives_until_it_expires_or_is_revoked(
    expires_ms: int, revoked_ms: int, now_ms: int, live: bool
) -> None:
    record = KeyRecord(public_id="p", name="k", digest=b"", expires_ms=expires_ms, revoked_ms=revoked_ms)
    assert record.is_live(now_ms) is live
