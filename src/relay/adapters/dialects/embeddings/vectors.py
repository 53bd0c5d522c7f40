"""Vectors between wire and memory: lists of numbers, and base64 of little-endian 32-bit floats.

One vector is handled at a time: a large answer never exists as Python floats as a whole.
"""

import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from relay.domain.embeddings import Vector, VectorEncoding, unit
from relay.domain.errors import Malformed
from relay.domain.usage import MAX_COUNT

_numbers = msgspec.json.Decoder(list[float])
_text = msgspec.json.Decoder(str)
_encoder = msgspec.json.Encoder()


def read_vector(value: Raw) -> tuple[Vector, VectorEncoding]:
    """A vector in either form, whatever was asked for. Raises `Malformed`."""
    try:
        if bytes(memoryview(value)[:1]) == b'"':
            return _from_base64(_text.decode(value)), "base64"
        return array("d", _numbers.decode(value)), "float"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        raise Malformed("a vector of the provider's answer is neither numbers nor base64") from None


def read_int8(value: Raw) -> tuple[Vector, VectorEncoding]:
    """A vector of whole numbers from -128 to 127, in base64, brought to length 1. Raises `Malformed`."""
    try:
        return unit(array("d", array("b", b64decode(_text.decode(value), validate=True)))), "float"
    except (msgspec.MsgspecError, ValueError):
        raise Malformed("a vector of the provider's answer is not base64") from None


def read_vectors(values: Sequence[Raw]) -> tuple[Vector, ...]:
    """Vectors where only lists of numbers are known. Raises `Malformed`."""
    read = [read_vector(value) for value in values]
    if any(encoding != "float" for _, encoding in read):
        raise Malformed("a vector of the provider's answer is not a list of numbers")
    return tuple(vector for vector, _ in read)


def written(vector: Vector, encoding: VectorEncoding) -> Raw:
    """A vector as a JSON value. Its numbers are finite and fit 32-bit floats."""
    if encoding == "float":
        return Raw(_encoder.encode(vector.tolist()))
    return Raw(b'"%b"' % b64encode(_little_endian(array("f", vector)).tobytes()))


def read_count(value: object) -> int | None:
    """A count as reported; `None` for one that cannot be true."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
    return value if is_count and isinstance(value, int) else None


def _from_base64(text: str) -> Vector:
    floats = array("f")
    floats.frombytes(b64decode(text, validate=True))
    return array("d", _little_endian(floats))


def _little_endian(floats: Vector) -> Vector:
    """The same numbers with the bytes of the wire, or back; nothing to do on most machines."""
    if sys.byteorder == "big":
        floats.byteswap()
    return floats
