"""A provider's answers: streams and whole bodies read, or passed on under another name."""

import re
from collections.abc import Sequence

import msgspec

from relay.adapters.dialects import members, splice
from relay.adapters.dialects.base import Scene, StreamDecoder, StreamTap, Tapped
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.members import Members
from relay.adapters.dialects.openai_responses.reading import Reader
from relay.adapters.dialects.openai_responses.writing import Encoder
from relay.adapters.dialects.sse_answers import Decoder, Tap, glanced, read_whole
from relay.domain.events import ChatResponse, StreamEvent

_KIND = re.compile(r"[a-z_.]{1,80}")
_EMPTY = msgspec.Raw(b"[]")


def decoder() -> StreamDecoder:
    """A fresh decoder."""
    return Decoder(Reader())


def decode_response(body: bytes) -> ChatResponse:
    """The canonical answer. Raises `Malformed`, also when it is not finished, or the provider's own failure."""
    return read_whole(Reader(), body)


def glance(body: bytes) -> Sequence[StreamEvent] | None:
    """As `Dialect.glance`."""
    return glanced(decode_response, body)


def rename_response(body: bytes, model: str) -> bytes:
    """The body with the model's name replaced and nothing else. Raises `Malformed`."""
    return members.renamed(members.object_in(body), "model", model)


def tap(scene: Scene) -> StreamTap:
    """A fresh tap."""
    return _Tap(scene)


class _Tap:
    """Events passed on as they are, but for the model's name and what strict clients would stumble over.

    That is an end without the items that were told of before it, and the word that ends other streams.
    """

    def __init__(self, scene: Scene) -> None:
        self._model = splice.raw(scene.model)
        self._reader = Reader()
        self._tap = Tap(self._reader, frame=self._frame, encoder=lambda: Encoder(scene))

    def feed(self, data: bytes) -> Tapped:
        """As `StreamTap.feed`."""
        return self._tap.feed(data)

    def close(self) -> Tapped:
        """As `StreamTap.close`."""
        return self._tap.close()

    def _frame(self, event: Members) -> bytes:
        kind = members.text(event.get("type"))
        if not _KIND.fullmatch(kind):
            return b""
        passed = dict(event)
        if members.is_said(told := event.get("response")):
            response = dict(members.members(told))
            if "model" in response:
                response["model"] = self._model
            if self._reader.has_finished and not members.items(response.get("output")):
                ended = self._reader.ended_items
                response["output"] = (
                    splice.raw([ended[index] for index in sorted(ended)]) if ended else _EMPTY
                )
            passed["response"] = splice.raw(response)
        payload = splice.assemble(passed)
        for line_end in (b"\n", b"\r"):  # outside of strings they are white space, inside there are none
            payload = payload.replace(line_end, b" ")
        return sse_frame(payload, kind)
