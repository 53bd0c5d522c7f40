"""What both directions need of tool calls: ids where the wire has none, and arguments that are an object."""

from base64 import b32encode
from hashlib import blake2s

import msgspec

from relay.adapters.dialects import lenient
from relay.adapters.dialects.ollama_chat.reading import regular_json
from relay.domain.chat import JsonText

_ID_BYTES = 5  # 40 bits are 8 characters of base 32


def made_id(*position: object) -> str:
    """An id in the form of Ollama's own (`call_` and 8 lower-case alphanumerics), the same for one position."""
    seed = "/".join(map(str, position)).encode(errors="replace")
    return "call_" + b32encode(blake2s(seed, digest_size=_ID_BYTES).digest()).decode().lower()


def parsed_object(arguments: JsonText) -> JsonText | None:
    """`arguments` on one line when they are an object; numbers, order and escapes stay as they are.

    Nothing and null become `{}`. `None` when they are something else or no JSON at all.
    """
    if not arguments.strip():
        return "{}"
    try:
        compact = msgspec.json.format(arguments, indent=-1)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        compact = _repaired(arguments)
    if compact == "null":
        return "{}"
    return lenient.escape_separators(compact.encode()).decode() if compact.startswith("{") else None


def object_text(arguments: JsonText) -> JsonText:
    """`arguments` as an object in any case: what is none is put into one, as `{"_raw": "..."}`."""
    return parsed_object(arguments) or lenient.encode({"_raw": lenient.clean_text(arguments)}).decode()


def _repaired(arguments: JsonText) -> JsonText:
    try:
        return regular_json(arguments.encode(errors="surrogatepass")).decode()
    except lenient.Undecodable:
        return ""
