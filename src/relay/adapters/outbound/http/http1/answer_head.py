"""Reads the head of an answer: the flaws that llhttp lets pass, and its fields when somebody asks for them."""

from collections.abc import Mapping

from relay.adapters.outbound.http.breaks import (
    ambiguous_length,
    compressed,
    head_too_large,
    not_http,
    too_many_fields,
)
from relay.adapters.outbound.http.interface import MAX_HEAD_BYTES, MAX_HEAD_FIELDS
from relay.domain.errors import Malformed

_END = b"\r\n\r\n"
_ENCODING = b"\r\ncontent-encoding:"
_LENGTH = b"\r\ncontent-length:"
_TRANSFER = b"\r\ntransfer-encoding:"


def cut_head(raw: bytes, interim_answers: int) -> bytes:
    """The last head in bytes that begin with `interim_answers` others, up to the end of its last field."""
    start = 0
    if interim_answers or raw[:1] in (b"\r", b"\n"):
        start = _behind_blanks(raw, 0)
        for _ in range(interim_answers):
            start = _behind_blanks(raw, raw.find(_END, start) + len(_END))
    return raw[start : raw.find(_END, start) + 2]


def flaw_of(head: bytes) -> Malformed | None:
    """What makes an answer with this head unfit to be read."""
    if len(head) > MAX_HEAD_BYTES:
        return head_too_large(MAX_HEAD_BYTES)
    lowered = head.lower()
    if not lowered.startswith(b"http/1."):
        return not_http()
    if lowered.count(b"\r\n") > MAX_HEAD_FIELDS + 1:
        return too_many_fields(MAX_HEAD_FIELDS)
    if b"-encoding:" not in lowered:
        return None
    if _has_other_values(lowered, _ENCODING, b"identity"):
        return compressed()
    if _has_other_values(lowered, _TRANSFER, b"chunked") or lowered.count(_TRANSFER) > 1:
        return ambiguous_length()
    return None


def ends_with_connection(head: bytes) -> bool:
    """True when the head does not say how long the body is (RFC 9112, 6.3)."""
    lowered = head.lower()
    return _LENGTH not in lowered and _TRANSFER not in lowered


def fields_of(head: bytes) -> Mapping[str, str]:
    """By lower-case name; of a repeated one the values joined by commas."""
    fields: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n")[1:-1]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _behind_blanks(raw: bytes, start: int) -> int:
    """Empty lines before a status line are skipped, as llhttp does."""
    return len(raw) - len(raw[start:].lstrip(b"\r\n"))


def _has_other_values(lowered: bytes, name: bytes, usual: bytes) -> bool:
    start = lowered.find(name)
    while start >= 0:
        start += len(name)
        if lowered[start : lowered.find(b"\r\n", start)].strip(b" \t") != usual:
            return True
        start = lowered.find(name, start)
    return False
