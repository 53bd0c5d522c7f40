"""Answers parsed from bytes, without a connection."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.outbound.http.http1.answer_parser import AnswerParser

WHOLE = (
    b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nX-A: b\r\ntransfer-encoding: chunked\r\n\r\n"
    b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nx-t: 1\r\n\r\n"
)
NEXT = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON"


def fed(parser: AnswerParser, data: bytes, cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(bounds):
        if start < end and not parser.is_complete:
            assert parser.feed(data[start:end]) is None


@given(st.lists(st.integers(0, len(WHOLE)), max_size=6))
def test_an_answer_is_the_same_wherever_it_is_parted(cuts: list[int]) -> None:
    parser = AnswerParser()
    for _ in range(2):
        parser.begin()
        fed(parser, WHOLE, cuts)
        assert (parser.status, b"".join(parser.chunks)) == (200, b"hello")
        assert parser.head == b"HTTP/1.1 200 OK\r\nX-A: b\r\ntransfer-encoding: chunked\r\n"
        assert parser.is_complete
        assert parser.may_stay_open
        assert not parser.is_spoilt


@pytest.mark.parametrize("behind", [NEXT, NEXT[:3], b"garbage"])
def test_what_comes_behind_an_answer_spoils_the_connection_and_nothing_else(behind: bytes) -> None:
    parser = AnswerParser()
    assert parser.feed(WHOLE + behind) is None
    assert b"".join(parser.chunks) == b"hello"
    assert parser.status == 200
    assert parser.is_spoilt


def test_what_came_whole_before_the_framing_broke_is_kept() -> None:
    parser = AnswerParser()
    flaw = parser.feed(WHOLE.partition(b"0\r\n")[0] + b"zz\r\n")
    assert flaw is not None
    assert b"".join(parser.chunks) == b"hello"


def test_nothing_of_a_refused_answer_is_given_out() -> None:
    parser = AnswerParser()
    flaw = parser.feed(b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\nhe")
    assert flaw is not None
    assert not parser.has_head
    assert parser.chunks == []
    assert parser.has_begun


def test_a_change_of_protocol_is_refused_by_its_status() -> None:
    flaw = AnswerParser().feed(b"HTTP/1.1 101 Other\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nbytes")
    assert flaw is not None
    assert flaw.message == "the provider answered with status 101"
