"""JSON from real peers is read where it can be, and what is written never breaks a reader's lines."""

import json
from functools import partial

import msgspec
import pytest
from hypothesis import given

from relay.adapters.dialects.lenient import (
    Undecodable,
    clean_text,
    decode,
    encode,
    escape_separators,
)
from tests.support.strategies.texts import json_texts, texts


class Shape(msgspec.Struct):
    text: str = ""
    count: int = 0
    number: float = 0.0


_strict = msgspec.json.Decoder(Shape, strict=False)
_convert = partial(msgspec.convert, type=Shape, strict=False)


def read(body: bytes, *, first_value_only: bool = False) -> Shape:
    return decode(_strict, _convert, body, first_value_only=first_value_only)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"text":"plain"}', "plain"),
        (b'\xef\xbb\xbf{"text":"after a BOM"}', "after a BOM"),
        (b' \r\n\t{"text":"after blanks"}\n', "after blanks"),
        (b'{"text":"cut \\ud83d emoji"}', "cut \ufffd emoji"),
        (b'{"text":"a whole \\ud83d\\ude00"}', "a whole 😀"),
        (b'{"text":"raw \x01\n control"}', "raw \x01\n control"),
        (b'{"text":"raw \xed\xa0\x80 surrogate"}', "raw \ufffd surrogate"),
        (b'{"text":"an unknown key", "\\ud83d":1}', "an unknown key"),
    ],
)
def test_irregular_text_is_read_and_cleaned(body: bytes, text: str) -> None:
    assert read(body).text == text


def test_numbers_are_read_as_peers_write_them() -> None:
    assert read(b'{"count":8192.0,"number":1}') == Shape(count=8192, number=1.0)
    assert read(b'{"number":-Infinity}').number == float("-inf")
    assert read(b'{"number":NaN}').number != read(b'{"number":NaN}').number


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "invalid JSON"),
        (b"nonsense", "invalid JSON"),
        (b'{"text":"cut', "invalid JSON"),
        (b'{"text":1}', r"at `\$\.text`"),
        (b'\xef\xbb\xbf{"text":1}', r"at `\$\.text`"),
        (b"[]", "Expected `object`"),
        (b'{"text":"\xff"}', "invalid UTF-8 at byte 9"),
        (b'{"count":1' + b"0" * 5000 + b"}", "."),
        (b"[" * 200_000, "Expected `object`"),
        (b'{"x":' * 200_000, "nested too deeply"),
        (b'\xef\xbb\xbf{"x":' + b"[" * 200_000, "nested too deeply"),
        (b'{"text":"a"} trailing', "invalid JSON"),
    ],
)
def test_what_cannot_be_read_says_where(body: bytes, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        read(body)


def test_what_follows_the_first_value_is_ignored_on_request_only() -> None:
    assert read(b' {"text":"a"} trailing {', first_value_only=True).text == "a"
    with pytest.raises(Undecodable):
        read(b'{"text":"a"} trailing {')


@given(texts())
def test_encoded_text_holds_no_separator_and_reads_back(text: str) -> None:
    payload = encode({"text": text})
    assert not any(separator in payload.decode() for separator in "\u2028\u2029\x85\n\r")
    assert json.loads(payload) == {"text": text}
    assert read(payload).text == text


@given(json_texts)
def test_escaping_separators_keeps_the_value(text: str) -> None:
    escaped = escape_separators(text.encode())
    assert json.loads(escaped) == json.loads(text)
    assert escape_separators(escaped) == escaped
    assert not any(separator in escaped.decode() for separator in "\u2028\u2029\x85")


def test_cleaning_replaces_lone_surrogates_only() -> None:
    assert clean_text("a\ud83db\udc00") == "a\ufffdb\ufffd"
    assert clean_text("😀\ufffd") == "😀\ufffd"
