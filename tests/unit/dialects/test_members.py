"""A provider's JSON read member by member: values as they are, and nothing for what is not as it should be."""

import json

import pytest
from hypothesis import given
from msgspec import Raw

from relay.adapters.dialects import members
from relay.domain.errors import Malformed
from tests.support.strategies.texts import json_texts, texts

ODD = (b"null", b"true", b"5", b"1.5", b'"x"', b"[]", b"{}", b"", b"nope", b'"\\ud83d"', b"\xff")


@pytest.mark.parametrize("value", [*map(Raw, ODD), None])
def test_no_reader_chokes_on_anything(value: Raw | None) -> None:
    assert isinstance(members.members(value), dict)
    assert isinstance(members.items(value), list | tuple)
    assert isinstance(members.text(value), str)
    assert members.count(value) in (None, 5)
    assert members.number(value) in (None, 5, 1.5)
    assert members.is_true(value) == (value is not None and bytes(value) == b"true")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("5", 5),
        ("5.0", 5),
        ("0", 0),
        ("-1", None),
        ("1.5", None),
        ("1e300", None),
        ("9007199254740992", None),
    ],
)
def test_a_count_is_whole_and_can_be_true(written: str, read: int | None) -> None:
    assert members.count(Raw(written.encode())) == read


@given(texts())
def test_a_text_is_read_as_it_is_and_half_a_character_is_cleaned(said: str) -> None:
    assert members.text(Raw(json.dumps(said).encode())) == said
    assert members.text(Raw(json.dumps(said + "\ud83d").encode())) == said + "\ufffd"


@given(json_texts)
def test_json_keeps_its_spelling_but_for_line_separators(text: str) -> None:
    kept = members.json_text(Raw(text.encode()))
    assert json.loads(kept) == json.loads(text)
    if kept.isascii() and "\\u" not in text:
        assert kept == text


@pytest.mark.parametrize(
    "body", [b"", b"null", b"5", b"[5]", b"[{},null]", b"<html>", b"{", b"\xff", b"[" * 5000]
)
def test_what_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        members.values_in(body)


def test_an_object_or_an_array_of_them_is_read_with_irregular_bytes_put_right() -> None:
    assert members.values_in(b' {"a":1} ') == ({"a": Raw(b"1")},)
    assert members.values_in(b'[{"a":1.50},{}]') == ({"a": Raw(b"1.50")}, {})
    assert members.values_in(b"[]") == ()
    assert members.text(members.object_in(b'\xef\xbb\xbf{"a":"x\ny"}')["a"]) == "x\ny"
    for body in (b"[]", b"[{},{}]"):
        with pytest.raises(Malformed):
            members.object_in(body)


def test_an_object_goes_on_one_line_under_another_name() -> None:
    found = members.object_in(b'{"model":"a",\r\n "n": [1.50,\n 2],"t":"\xe2\x80\xa8"}')
    written = members.renamed(found, "model", "b\u2028")
    assert written == b'{"model":"b\\u2028","n":[1.50,  2],"t":"\\u2028"}'
