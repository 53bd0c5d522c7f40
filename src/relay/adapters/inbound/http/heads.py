"""The head of an answer: what every reply tells in headers of who served it and how long that took."""

import re
from collections.abc import Callable
from functools import lru_cache

from relay.application.ports import ReplyHead

_UNSAFE = re.compile(r"[^A-Za-z0-9._:/@,;=+-]")
MAX_VALUE_CHARACTERS = 256
KEPT_HEADS = 1024
"""Few models are called again and again: what is told of them is put into words once."""

STREAM_LINES = b"cache-control: no-cache\r\nx-accel-buffering: no\r\n"
"""Keeps caches and buffering proxies from holding a stream back."""


def header_value(text: str) -> bytes:
    """`text` with everything but harmless characters replaced: names come from clients and providers."""
    return _UNSAFE.sub("_", text[:MAX_VALUE_CHARACTERS]).encode()


class Telling:
    """Collects what the head of one answer tells; `now` and `began_s` are monotonic seconds.

    `Server-Timing` has the phases up to the first byte: `receive` until the request was read, `relay` until
    an attempt was made, `upstream` until the provider gave something to send. Everything is given as header lines.
    """

    __slots__ = ("_attempted_s", "began_s", "head", "now", "received_s", "request_id")

    def __init__(self, request_id: str, now: Callable[[], float], began_s: float) -> None:
        self.request_id = request_id
        self.now = now
        self.began_s = began_s
        self.received_s = began_s
        self.head: ReplyHead | None = None
        self._attempted_s: float | None = None

    def prepare(self, head: ReplyHead) -> None:
        """Take the head of the attempt being made."""
        self.head = head
        if self._attempted_s is None:
            self._attempted_s = self.now()

    def lines(self, content_type: str, *, total: bool) -> bytes:
        """Those of an answer that succeeds and leaves now."""
        return b"content-type: %b\r\nx-request-id: %b\r\n%b%b" % (
            content_type.encode(),
            self.request_id.encode(),
            self.attempt_lines(),
            self.timing_line(total=total),
        )

    def attempt_lines(self) -> bytes:
        """Those that tell of the attempt; none before one was made."""
        return b"" if self.head is None else _attempt_lines(self.head)

    def timing_line(self, *, total: bool) -> bytes:
        """`Server-Timing` in milliseconds, for an answer that leaves now."""
        now, began_s, received_s = self.now(), self.began_s, self.received_s
        attempted_s = now if self._attempted_s is None else self._attempted_s
        phases = (
            (received_s - began_s) * 1000,
            (attempted_s - received_s) * 1000,
            (now - attempted_s) * 1000,
        )
        if not total:
            return b"server-timing: receive;dur=%.1f, relay;dur=%.1f, upstream;dur=%.1f\r\n" % phases
        return b"server-timing: receive;dur=%.1f, relay;dur=%.1f, upstream;dur=%.1f, total;dur=%.1f\r\n" % (
            *phases,
            (now - began_s) * 1000,
        )


@lru_cache(KEPT_HEADS)
def _attempt_lines(head: ReplyHead) -> bytes:
    lines = (
        b"x-relay-provider: %b\r\nx-relay-model: %b\r\nx-relay-resolved-by: %b\r\nx-relay-attempts: %d\r\n"
        % (
            header_value(head.provider),
            header_value(head.model),
            header_value(head.resolved_by),
            head.attempts,
        )
    )
    if head.losses:
        lines += b"x-relay-losses: %b\r\n" % header_value(",".join(head.losses))
    return lines
