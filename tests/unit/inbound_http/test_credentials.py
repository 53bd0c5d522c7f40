"""Which headers identify a sender, and which do not."""

import pytest

from relay.adapters.inbound.http.credentials import read_sender
from relay.domain.errors import InvalidRequest

KEY_HEADERS = (b"x-api-key", b"api-key", b"x-goog-api-key")


@pytest.mark.parametrize("name", KEY_HEADERS)
def test_a_key_header_is_a_credential(name: bytes) -> None:
    assert read_sender([(b"host", b"x"), (name, b" lr_key ")]).credential == "lr_key"


@pytest.mark.parametrize("value", [b"Bearer lr_key", b"bearer lr_key", b"BEARER   lr_key "])
def test_a_bearer_token_is_a_credential(value: bytes) -> None:
    assert read_sender([(b"authorization", value)]).credential == "lr_key"


@pytest.mark.parametrize(
    "value", [b"Bearer", b"Bearer ", b"", b"Basic dXNlcjpwYXNz", b"lr_key", b"Digest x=y"]
)
def test_an_empty_token_and_other_schemes_are_none(value: bytes) -> None:
    assert read_sender([(b"authorization", value)]).credential is None


def test_no_header_is_no_credential() -> None:
    assert read_sender([(b"host", b"x"), (b"cookie", b"x-api-key=1")]).credential is None


@pytest.mark.parametrize("name", KEY_HEADERS)
def test_one_credential_may_be_said_twice(name: bytes) -> None:
    assert read_sender([(b"authorization", b"Bearer lr_key"), (name, b"lr_key")]).credential == "lr_key"


@pytest.mark.parametrize("name", KEY_HEADERS)
def test_two_different_credentials_are_refused_without_being_shown(name: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_sender([(b"authorization", b"Bearer lr_first"), (name, b"lr_second")])
    assert refused.value.status == 400
    assert "lr_" not in refused.value.message


def test_basic_authentication_does_not_hide_a_key_header() -> None:
    headers = [(b"authorization", b"Basic dXNlcjpwYXNz"), (b"x-api-key", b"lr_key")]
    assert read_sender(headers).credential == "lr_key"


def test_the_bearer_list_is_left_to_whoever_authenticates() -> None:
    assert read_sender([(b"authorization", b"Bearer lr_key,alice,project:x")]).credential == (
        "lr_key,alice,project:x"
    )


def test_both_tag_headers_add_up() -> None:
    headers = [(b"x-relay-tags", b"team:web, alice"), (b"x-proxy-tag", b"project:x")]
    tags = read_sender(headers).tags
    assert [str(tag) for tag in tags] == ["team:web", "tag:alice", "project:x"]
    assert {tag.source for tag in tags} == {"header"}


def test_a_tag_header_with_a_secret_or_a_bad_byte_is_no_tag_and_no_failure() -> None:
    assert read_sender([(b"x-relay-tags", b"sk-proj-0123456789abcdefghij,\xff\x00")]).tags == ()


def test_a_credential_outside_utf_8_is_kept_as_something_that_fits_no_key() -> None:
    assert read_sender([(b"authorization", b"Bearer \xff\xfe")]).credential == "\ufffd\ufffd"
