"""What a request's headers say of its sender: the one credential, and the tags."""

from collections.abc import Iterable
from dataclasses import dataclass

from relay.domain.errors import InvalidRequest
from relay.domain.tags import Tag, parse_list

_KEY_HEADERS = frozenset({b"x-api-key", b"api-key", b"x-goog-api-key"})
_TAG_HEADERS = frozenset({b"x-relay-tags", b"x-proxy-tag"})


@dataclass(frozen=True, slots=True)
class Presented:
    """The credential, `None` when there is none, and the tags of the tag headers."""

    credential: str | None
    tags: tuple[Tag, ...]


def read_sender(headers: Iterable[tuple[bytes, bytes]]) -> Presented:
    """Read both in one pass over lower-case header names.

    A credential is a bearer token or the value of one of the key headers that vendors' clients use; other
    schemes of `Authorization` are none, and a key in the query string is not looked at. Raises
    `InvalidRequest` when two headers bring different credentials: which one counts is not guessed.
    """
    credential: str | None = None
    tags: tuple[Tag, ...] = ()
    for name, value in headers:
        if name == b"authorization":
            found = _bearer(value)
        elif name in _KEY_HEADERS:
            found = _text(value)
        elif name in _TAG_HEADERS:
            tags += parse_list(_text(value), "header")
            continue
        else:
            continue
        if found and credential and found != credential:
            raise InvalidRequest("two different credentials in one request: send exactly one")
        credential = found or credential
    return Presented(credential, tags)


def _bearer(value: bytes) -> str:
    scheme, _, token = _text(value).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _text(value: bytes) -> str:
    return value.decode(errors="replace").strip()
