"""The head of a request as bytes."""

import pytest

from relay.adapters.outbound.http.request_head import Origin, check_request_id, encode_head
from relay.domain.errors import Unreachable


def test_a_head_is_written_up_to_the_fields_that_differ() -> None:
    origin, start = encode_head("POST", "https://api.example/v1/chat?x=1#part", {"authorization": "Bearer k"})
    assert origin == Origin("api.example", 443, is_tls=True)
    assert start == (
        b"POST /v1/chat?x=1 HTTP/1.1\r\nhost: api.example\r\naccept-encoding: identity\r\n"
        b"authorization: Bearer k\r\n"
    )


@pytest.mark.parametrize(
    ("url", "origin", "host"),
    [
        ("http://h/", Origin("h", 80, is_tls=False), b"h"),
        ("http://h:80/", Origin("h", 80, is_tls=False), b"h"),
        ("https://h:80/", Origin("h", 80, is_tls=True), b"h:80"),
        ("http://[::1]:8000/v1", Origin("::1", 8000, is_tls=False), b"[::1]:8000"),
        (
            "http://BÜCHER.example",
            Origin("xn--bcher-kva.example", 80, is_tls=False),
            b"xn--bcher-kva.example",
        ),
    ],
)
def test_origin_and_host_follow_from_the_address(url: str, origin: Origin, host: bytes) -> None:
    encoded = encode_head("GET", url, {})
    assert encoded.origin == origin
    assert b"\r\nhost: " + host + b"\r\n" in encoded.start


@pytest.mark.parametrize(
    "url",
    [
        "http://h:99999/",
        "http://h:x/",
        "http:///v1",
        "http://u@h/",
        "http://[::1/",
        "http://h/\n",
        "http://a b/",
    ],
)
def test_an_address_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(Unreachable, match="not fit for HTTP") as raised:
        encode_head("GET", url, {})
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("scheme", ["ftp", "unix", ""])
def test_only_http_is_spoken(scheme: str) -> None:
    with pytest.raises(Unreachable, match="neither http nor https"):
        encode_head("GET", f"{scheme}://h/", {})


@pytest.mark.parametrize("name", ["", "a b", "a:", "ä", "Host", "CONNECTION", "Accept-Encoding", "Expect"])
def test_a_field_that_is_not_the_callers_to_set_is_refused(name: str) -> None:
    with pytest.raises(Unreachable):
        encode_head("GET", "http://h/", {name: "x"})


@pytest.mark.parametrize("request_id", ["a\r\nb: c", "a\x00", "ä", "a\x7f"])
def test_a_request_id_that_is_no_field_is_refused(request_id: str) -> None:
    with pytest.raises(Unreachable):
        check_request_id(request_id)
