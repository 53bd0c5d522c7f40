"""The head of an answer: what every reply tells in headers of who served it and how long that took."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from relay.adapters.inbound.http.asgi import RawHeaders
from relay.application.ports import ReplyHead

_UNSAFE = re.compile(r"[^A-Za-z0-9._:/@,;=+-]")
MAX_VALUE_CHARACTERS = 256

STREAM_HEADERS: RawHeaders = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
"""Keeps caches and buffering proxies from holding a stream back."""


def header_value(text: str) -> bytes:
    """`text` with everything but harmless characters replaced: names come from clients and providers."""
    return _UNSAFE.sub("_", text[:MAX_VALUE_CHARACTERS]).encode()


@dataclass(slots=True, kw_only=True)
class Telling:
    """Collects what the head of one answer tells; `now` and `began_s` are monotonic seconds.

    `Server-Timing` has the phases up to the first byte: `receive` until the request was read, `relay` until
    an attempt was made, `upstream` until the provider gave something to send.
    """

    request_id: str
    now: Callable[[], float]
    began_s: float
    received_s: float
    head: ReplyHead | None = None
    _attempted_s: float | None = field(default=None, init=False)

    def prepare(self, head: ReplyHead) -> None:
        """Take the head of the attempt being made."""
        self.head = head
        if self._attempted_s is None:
            self._attempted_s = self.now()

    def headers(self, content_type: str) -> RawHeaders:
        """The headers of an answer that succeeds."""
        return [
            (b"content-type", content_type.encode()),
            (b"x-request-id", self.request_id.encode()),
            *self.attempt_headers(),
        ]

    def attempt_headers(self) -> RawHeaders:
        """Those that tell of the attempt; none before one was made."""
        if self.head is None:
            return []
        headers = [
            (b"x-relay-provider", header_value(self.head.provider)),
            (b"x-relay-model", header_value(self.head.model)),
            (b"x-relay-resolved-by", header_value(self.head.resolved_by)),
            (b"x-relay-attempts", b"%d" % self.head.attempts),
        ]
        if self.head.losses:
            headers.append((b"x-relay-losses", header_value(",".join(self.head.losses))))
        return headers

    def timing(self, *, total: bool) -> tuple[bytes, bytes]:
        """`Server-Timing` in milliseconds, for an answer that leaves now."""
        now = self.now()
        attempted_s = now if self._attempted_s is None else self._attempted_s
        value = b"receive;dur=%.1f, relay;dur=%.1f, upstream;dur=%.1f" % (
            (self.received_s - self.began_s) * 1000,
            (attempted_s - self.received_s) * 1000,
            (now - attempted_s) * 1000,
        )
        if total:
            value += b", total;dur=%.1f" % ((now - self.began_s) * 1000)
        return b"server-timing", value
