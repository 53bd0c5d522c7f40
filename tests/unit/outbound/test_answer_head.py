"""The head of an answer: cut out of what came, looked over, and read when asked for."""

import pytest

from relay.adapters.outbound.http.http1.answer_head import cut_head, ends_with_connection, fields_of, flaw_of

HEAD = b"HTTP/1.1 200 OK\r\nA: 1\r\nb:2\t\r\na: 3\r\n"


@pytest.mark.parametrize(
    ("before", "interim_answers"),
    [
        (b"", 0),
        (b"\r\n\r\n", 0),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 1),
        (b"\r\nHTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n", 2),
    ],
)
def test_the_final_head_is_found_behind_others(before: bytes, interim_answers: int) -> None:
    assert cut_head(before + HEAD + b"\r\nbody\r\n\r\n", interim_answers) == HEAD


def test_fields_are_read_by_lower_case_name_and_joined_when_repeated() -> None:
    assert fields_of(HEAD) == {"a": "1, 3", "b": "2"}
    assert fields_of(b"HTTP/1.1 200 OK\r\n") == {}


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (b"Content-Encoding: gzip\r\n", "compressed"),
        (b"content-encoding: identity\r\nContent-encoding:br\r\n", "compressed"),
        (b"Transfer-Encoding: gzip, chunked\r\n", "where it ends"),
        (b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "where it ends"),
        (b"x: y\r\n" * 257, "more than 256 fields"),
        (b"x: " + b"y" * 65536 + b"\r\n", "exceeds 65536 bytes"),
    ],
)
def test_what_the_parser_lets_pass_is_a_flaw(field: bytes, words: str) -> None:
    flaw = flaw_of(b"HTTP/1.1 200 OK\r\n" + field)
    assert flaw is not None
    assert words in flaw.message


@pytest.mark.parametrize("line", [b"HTTP/2.0 200 OK\r\n", b"RTSP/1.0 200 OK\r\n"])
def test_another_protocol_is_a_flaw(line: bytes) -> None:
    flaw = flaw_of(line)
    assert flaw is not None
    assert flaw.message == "the provider's answer is not HTTP"


@pytest.mark.parametrize(
    "field",
    [b"", b"Content-Encoding:  identity \r\n", b"Transfer-Encoding: Chunked\r\n", b"x: y\r\n" * 256],
)
def test_a_decent_head_has_no_flaw(field: bytes) -> None:
    assert flaw_of(b"HTTP/1.1 200 OK\r\n" + field) is None


def test_a_head_without_a_length_ends_with_its_connection() -> None:
    assert ends_with_connection(HEAD)
    assert not ends_with_connection(HEAD + b"Content-Length: 5\r\n")
    assert not ends_with_connection(HEAD + b"Transfer-Encoding: chunked\r\n")
