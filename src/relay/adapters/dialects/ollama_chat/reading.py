"""From a caller's bytes to wire Structs, as forgiving as Go's JSON decoder, which real Ollama uses.

Theory of operation. A body with the usual keys in the usual case is decoded once, straight into its Struct. The
Structs refuse unknown keys, so anything else falls through to a slower way: keys are matched in any case at the
levels Ollama knows, nulls and unknown keys are left out (those of the top level are handed back), and bytes that
no strict decoder takes (a BOM, a second value behind the first, lone surrogates, no UTF-8) are put right.
"""

import json
import re
from collections.abc import Mapping
from functools import cache

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import check_items
from relay.adapters.dialects.ollama_chat import wire
from relay.domain.errors import InvalidRequest

type Members = dict[str, Raw]

_chat_request = msgspec.json.Decoder(wire.ChatRequest)
_outline = msgspec.json.Decoder(wire.ChatOutline)
_anything = msgspec.json.Decoder()
_list = msgspec.json.Decoder(list[Raw])
_encoder = msgspec.json.Encoder()

_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\{")

_INNER: Mapping[type[msgspec.Struct], Mapping[str, type[msgspec.Struct]]] = {
    wire.ChatRequest: {"messages": wire.Message, "tools": wire.Tool},
    wire.Message: {"tool_calls": wire.ToolCall},
    wire.ToolCall: {"function": wire.CalledFunction},
    wire.Tool: {"function": wire.ToolFunction},
}


def chat_request(body: bytes) -> tuple[wire.ChatRequest, Members]:
    """The request, and the members of the top level that Ollama does not know. Raises `InvalidRequest`."""
    return read(_chat_request, wire.ChatRequest, body)


def outline(body: bytes) -> wire.ChatOutline:
    """As much of the request as decides where it goes. Raises `InvalidRequest`."""
    return read(_outline, wire.ChatOutline, body)[0]


def given(value: Raw) -> bytes:
    """A value's JSON; nothing when it is absent or null, which are the same to Ollama."""
    text = bytes(value)
    return b"" if text == b"null" else text


def regular_json(data: bytes, *, first_value_only: bool = False) -> bytes:
    """JSON for a strict reader out of what only a lenient one takes. Raises `Undecodable`."""
    value = lenient.decode(_anything, lambda value: value, data, first_value_only=first_value_only)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except RecursionError:
        raise lenient.Undecodable("JSON is nested too deeply") from None


def top_level(body: bytes) -> Members:
    """The members of a caller's body, values untouched where its bytes allow. Raises `InvalidRequest`."""
    body = lenient.in_utf8(body)
    try:
        return splice.top_level(body)
    except lenient.Undecodable:
        pass
    try:
        return splice.top_level(regular_json(body, first_value_only=True))
    except lenient.Undecodable as error:
        raise _refused(body, error) from None


def read[T: msgspec.Struct](
    decoder: msgspec.json.Decoder[T], kind: type[T], body: bytes
) -> tuple[T, Members]:
    """A caller's body as `kind`, and the members of its top level that `kind` has not. Raises `InvalidRequest`."""
    body = lenient.in_utf8(body)
    try:
        return decoder.decode(body), {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _read_folded(decoder, kind, body)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from None
    except (lenient.Undecodable, msgspec.DecodeError, UnicodeDecodeError):
        pass
    if _OBJECT.match(body) is None:
        raise _refused(body, ValueError("the request body is no JSON object"))
    try:
        return _read_folded(decoder, kind, regular_json(body, first_value_only=True))
    except (lenient.Undecodable, msgspec.MsgspecError) as error:
        raise _refused(body, error) from None


def _read_folded[T: msgspec.Struct](
    decoder: msgspec.json.Decoder[T], kind: type[T], body: bytes
) -> tuple[T, Members]:
    members, unknown = _Folding().members(body, kind)
    return decoder.decode(_encoder.encode(members)), unknown


class _Folding:
    """Folds the keys of one body, of no more items than are taken apart later."""

    def __init__(self) -> None:
        self._items = 0

    def members(self, data: bytes, kind: type[msgspec.Struct]) -> tuple[Members, Members]:
        """The known members under their own names, and the unknown ones. As in Go, the last spelling wins."""
        names = _names(kind)
        known: Members = {}
        unknown: Members = {}
        for key, value in splice.top_level(data).items():
            name = key if key in names else key.lower()
            if not given(value):
                continue
            if name in names:
                known[name] = self._value(value, _INNER.get(kind, {}).get(name))
            else:
                unknown[key] = value
        return known, unknown

    def _value(self, value: Raw, kind: type[msgspec.Struct] | None) -> Raw:
        if kind is None:
            return value
        text = bytes(value)
        if text.startswith(b"["):
            items = _list.decode(text)
            self._items += len(items)
            check_items(range(self._items))
            return Raw(_encoder.encode([self._value(item, kind) for item in items]))
        if text.startswith(b"{"):
            return Raw(_encoder.encode(self.members(text, kind)[0]))
        return value


@cache
def _names(kind: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(kind.__struct_encode_fields__)


def _refused(body: bytes, error: Exception) -> InvalidRequest:
    return InvalidRequest(str(error) if body.strip() else "missing request body")
