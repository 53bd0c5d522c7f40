"""Edits at the top level of a JSON object without decoding what lies below: order and values stay as they are."""

from collections.abc import Mapping

import msgspec

from relay.adapters.dialects.base import EditMembers, Members, WireRequest
from relay.adapters.dialects.lenient import Undecodable, escape_separators

_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder = msgspec.json.Encoder()


def top_level(body: bytes) -> dict[str, msgspec.Raw]:
    """The members of a JSON object, values untouched; of duplicate keys the last. Raises `Undecodable`."""
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(str(error)) from None


def is_other_spelling(name: str) -> bool:
    """Whether a member is `model` in other letters, which some providers' decoders would take for the model.

    Go's does (https://pkg.go.dev/encoding/json#Unmarshal): a key that may use one model would reach another.
    """
    return len(name) == len("model") and name != "model" and name.lower() == "model"


def assemble(members: Mapping[str, msgspec.Raw]) -> bytes:
    """The object again, as compact JSON around the untouched values."""
    return escape_separators(_encoder.encode(members))


def edited(
    members: Members, edit: EditMembers | None, path: str, losses: tuple[str, ...] = ()
) -> WireRequest:
    """The members as the request for a path, edited if need be; `losses` are those that came before."""
    if edit is not None:
        losses += edit(members)
    return WireRequest(path=path, body=assemble(members), losses=losses)


def raw(value: object) -> msgspec.Raw:
    """A value to put into the members."""
    return msgspec.Raw(_encoder.encode(value))
