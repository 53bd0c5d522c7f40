"""Tells which price list some bytes are, and reads it."""

import msgspec

from relay.adapters.outbound.prices.importers import genai_prices, litellm, openrouter
from relay.adapters.outbound.prices.importers.gathering import Imported, ListUnreadable
from relay.adapters.outbound.prices.table import TableInvalid, read_table


class _Opening(msgspec.Struct):
    """What tells the lists apart that are JSON objects."""

    format: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()


def imported(data: bytes, as_of: str) -> Imported:
    """The book of a list in any of the forms known here; `as_of` is the ISO date of the look at it.

    A table of our own says by itself when it was made. Raises `ListUnreadable`.
    """
    data = data.removeprefix(b"\xef\xbb\xbf").strip()
    if data.startswith(b"["):
        return genai_prices.imported(data, as_of, "genai-prices")
    try:
        opening = msgspec.json.decode(data, type=_Opening)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ListUnreadable("not JSON") from None
    if opening.format:
        try:
            return Imported(book=read_table(data))
        except TableInvalid as error:
            raise ListUnreadable(str(error)) from None
    if opening.data:
        return openrouter.imported(data, as_of, "OpenRouter's list of models")
    found = litellm.imported(data, as_of, "LiteLLM's map of model prices")
    if not found.book.sheets:
        raise ListUnreadable("no list of prices that is known here")
    return found
