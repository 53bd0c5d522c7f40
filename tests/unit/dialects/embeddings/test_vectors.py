"""Vectors between wire and memory: the same numbers in both forms, and nothing that is no number."""

import json
import math
from array import array
from base64 import b64decode, b64encode
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from relay.adapters.dialects.embeddings.vectors import read_count, read_vector, read_vectors, written
from relay.domain.errors import Malformed

floats = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1)


@given(floats)
def test_both_forms_hold_the_same_32_bit_numbers(numbers: list[float]) -> None:
    vector = array("d", numbers)
    for form in ("float", "base64"):
        assert read_vector(written(vector, "float" if form == "float" else "base64"))[0] == vector


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_keep_every_digit(numbers: list[float]) -> None:
    assert list(read_vector(written(array("d", numbers), "float"))[0]) == numbers


def test_base64_is_of_little_endian_floats() -> None:
    text = json.loads(bytes(written(array("d", [1.0, -2.5, 0.1]), "base64")))
    assert unpack("<3f", b64decode(text)) == unpack("<3f", pack("<3f", 1.0, -2.5, 0.1))
    assert b64decode(text)[:4] == b"\x00\x00\x80\x3f"


def test_the_form_is_told() -> None:
    assert read_vector(Raw(b"[1, 2.5, -3e-2]")) == (array("d", [1.0, 2.5, -0.03]), "float")
    packed = b64encode(pack("<2f", 0.5, 2.0)).decode()
    assert read_vector(Raw(f'"{packed}"'.encode())) == (array("d", [0.5, 2.0]), "base64")
    assert read_vector(Raw(json.dumps(packed).replace("/", "\\/").encode()))[1] == "base64"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"{}",
        b"true",
        b"0.5",
        b'["0.5"]',
        b"[null]",
        b"[NaN]",
        b"[Infinity]",
        b"[1e999]",
        b"[true]",
        b"[[0.5]]",
        b'"no base64!"',
        b'"AAAA"',
        b'"AAA"',
        b'"\xff\xff"',
        b"[" * 5000,
    ],
)
def test_what_is_no_vector_is_malformed(value: bytes) -> None:
    with pytest.raises(Malformed):
        read_vector(Raw(value))


def test_where_only_numbers_are_known_base64_is_malformed() -> None:
    assert read_vectors([Raw(b"[1]"), Raw(b"[2.5]")]) == (array("d", [1.0]), array("d", [2.5]))
    with pytest.raises(Malformed):
        read_vectors([Raw(b"[1]"), Raw(b'"AACAPw=="')])


@pytest.mark.parametrize(
    ("value", "count"),
    [(7, 7), (0, 0), (7.0, 7), (-1, None), (7.5, None), ("7", None), (True, None), (None, None)],
)
def test_a_count_is_a_whole_number_that_is_not_negative(value: object, count: int | None) -> None:
    assert read_count(value) == count
    assert read_count(10**18) is None
    assert read_count(math.inf) is None
