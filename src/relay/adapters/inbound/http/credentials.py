"""What a request's headers say of its sender: the one credential, and the tags."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from relay.application.authenticate import Authenticate
from relay.application.calls import Caller
from relay.domain.errors import InvalidRequest
from relay.domain.tags import Tag, parse_list

MAX_REMEMBERED = 1024

_KEY_HEADERS = frozenset({b"x-api-key", b"api-key", b"x-goog-api-key"})
_TAG_HEADERS = frozenset({b"x-relay-tags", b"x-proxy-tag"})


_TELLING = _KEY_HEADERS | _TAG_HEADERS | {b"authorization"}


class Presented(NamedTuple):
    """The credential, `None` when there is none, and the tags of the tag headers."""

    credential: str | None
    tags: tuple[Tag, ...]


class Sender(NamedTuple):
    """Who sends a request: the caller, and the tags of the tag headers."""

    caller: Caller
    tags: tuple[Tag, ...]


class Senders:
    """Finds out who sends, remembering whom it found: clients come again and again with the same headers.

    They are remembered by a digest of those headers: of a credential nothing else is kept.
    """

    def __init__(self, authenticate: Authenticate) -> None:
        self._authenticate = authenticate
        self._known: dict[bytes, Sender] = {}

    def __call__(self, headers: Sequence[tuple[bytes, bytes]]) -> Sender:
        """Raises `Unauthenticated` and `InvalidRequest`."""
        told = [b"%b:%b\n" % field for field in headers if field[0] in _TELLING]
        digest = hashlib.sha256(b"".join(told)).digest()
        sender = self._known.get(digest)
        if sender is None or not self._authenticate.still_knows(sender.caller):
            presented = read_sender(headers)
            sender = Sender(self._authenticate(presented.credential), presented.tags)
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[digest] = sender
        return sender


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
