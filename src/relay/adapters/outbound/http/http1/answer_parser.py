"""Parses the answers of one connection, one after another: bytes in, chunks of a body out, by llhttp.

Theory of operation. llhttp calls back for the events of a message and appends its body to `chunks`, in C. It is
told of no field: heads are kept as they came, so that a trailer costs no memory and a field no time until somebody
asks for it. What comes behind a complete answer is never part of it, and spoils the connection for another.
"""

import httptools

from relay.adapters.outbound.http.breaks import body_not_http, head_too_large, not_http, wrong_status
from relay.adapters.outbound.http.http1.answer_head import cut_head, flaw_of
from relay.adapters.outbound.http.interface import MAX_HEAD_BYTES, MAX_INTERIM_ANSWERS
from relay.domain.errors import Malformed


class AnswerParser:
    """`chunks` is one list for good: whoever takes from it clears it."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.on_body = self.chunks.append  # the name that llhttp's callbacks go by
        self._llhttp = httptools.HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """Another answer is awaited."""
        self.chunks.clear()
        self.status = 0
        self.head = b""
        self.has_head = False
        self.is_complete = False
        self.may_stay_open = False
        self.is_spoilt = False
        self._raw = b""
        self._barren_bytes = 0
        self._interim_answers = 0
        self._own_chunks = 0

    @property
    def has_begun(self) -> bool:
        """True once there is a byte of an answer, if only of an interim one."""
        return bool(self._raw)

    def feed(self, data: bytes) -> Malformed | None:
        """What makes these bytes unfit, if they are; `chunks`, `has_head` and `is_complete` tell what they were."""
        if self.has_head:
            flaw = self._parse(data)
        else:
            self._raw = self._raw + data if self._raw else data
            flaw = self._parse(data)
            if self.has_head:
                flaw = self._flaw_of_head() or flaw
        if self.chunks or self.is_complete:
            self._barren_bytes = 0
        else:
            self._barren_bytes += len(data)
            if flaw is None and self._barren_bytes > MAX_HEAD_BYTES:
                return head_too_large(MAX_HEAD_BYTES)
        return flaw

    def on_message_begin(self) -> None:
        """A status line begins: another one, once the answer is complete."""
        if self.is_complete:
            self.is_spoilt = True

    def on_headers_complete(self) -> None:
        """A head has ended, that of an interim answer or the final one."""
        if self.is_complete:
            return
        status = self._llhttp.get_status_code()
        if 100 <= status < 200 and status != 101 and self._interim_answers < MAX_INTERIM_ANSWERS:
            self._interim_answers += 1
        else:
            self.status = status
            self.has_head = True

    def on_message_complete(self) -> None:
        """An answer has ended; the chunks there are now are its own, and none that may follow."""
        if self.has_head and not self.is_complete:
            self.is_complete = True
            self.may_stay_open = self._llhttp.should_keep_alive()
            self._own_chunks = len(self.chunks)

    def _parse(self, data: bytes) -> Malformed | None:
        flaw = None
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.is_spoilt = True  # and refused for its status
        except httptools.HttpParserError:
            self.is_spoilt = True
            if not self.is_complete:
                flaw = body_not_http() if self.has_head else not_http()
        if self.is_complete:
            del self.chunks[self._own_chunks :]
        return flaw

    def _flaw_of_head(self) -> Malformed | None:
        self.head = self._raw = cut_head(self._raw, self._interim_answers)
        flaw = flaw_of(self.head) if self.status >= 200 else wrong_status(self.status)
        if flaw is not None:
            self.has_head = False
            self.chunks.clear()
        return flaw
