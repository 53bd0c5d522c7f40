"""The one difference between the answers of Ollama's chat and of its generate: how a line of them is spelled.

Everything that reads or writes answers works on the lines of chat, and takes the shape they have on the wire.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from relay.adapters.dialects.ollama_chat import wire
from relay.adapters.dialects.ollama_chat.writing import encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class LineShape:
    """How a line is read and written; `read` raises what msgspec raises."""

    read: Callable[[bytes], wire.Line]
    write: Callable[[wire.WrittenLine], bytes]


CHAT = LineShape(read=msgspec.json.Decoder(wire.Line).decode, write=encoded)
