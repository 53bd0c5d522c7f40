"""Splicing changes the members it is told to and leaves every other byte of every value alone."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.dialects.lenient import Undecodable, escape_separators
from relay.adapters.dialects.splice import assemble, raw, top_level
from tests.support.strategies.texts import json_texts, words


@given(st.dictionaries(words, json_texts, max_size=6), st.sampled_from(("", " ", "\n  ")))
def test_taking_apart_and_putting_together_keeps_order_and_spelling(
    members: dict[str, str], blank: str
) -> None:
    body = "{" + ",".join(f"{blank}{json.dumps(key)}:{blank}{value}" for key, value in members.items()) + "}"
    spliced = top_level(body.encode())
    assert list(spliced) == list(members)
    assert [bytes(value) for value in spliced.values()] == [value.encode() for value in members.values()]
    expected = "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in members.items()) + "}"
    assert assemble(spliced) == escape_separators(expected.encode())


def test_a_replaced_member_keeps_its_place_and_a_new_one_goes_last() -> None:
    members = top_level(b'{"a":1.0,"model":"x","b":[ 1 ]}')
    members["model"] = raw("new \u2028")
    members["stream"] = raw(True)
    assert assemble(members) == b'{"a":1.0,"model":"new \\u2028","b":[ 1 ],"stream":true}'


def test_of_duplicate_members_the_last_is_kept_so_that_what_is_checked_is_what_is_sent() -> None:
    assert assemble(top_level(b'{"model":"cheap","x":1,"model":"dear"}')) == b'{"model":"dear","x":1}'


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b'{"a":}', b'{"a":1', b"\xff", b'{"\xff":1}', b'{"a":1}x']
)
def test_what_is_no_object_is_undecodable(body: bytes) -> None:
    with pytest.raises(Undecodable):
        top_level(body)


def test_nesting_has_a_bound() -> None:
    with pytest.raises(Undecodable):
        top_level(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}")


def test_a_value_is_spelled_compactly() -> None:
    assert raw({"include_usage": True}) == msgspec.Raw(b'{"include_usage":true}')
