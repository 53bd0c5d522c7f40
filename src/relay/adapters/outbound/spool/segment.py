"""The segment format: ledger records as framed bytes, and bytes in any state as records again.

A frame is a mark, the payload's length, its CRC-32, and the payload: one byte for the record's kind and its
fields as a MessagePack map. The mark holds 0xFF, which never occurs in UTF-8, so no text inside a record can
pass for one: after damage, reading goes on at the next mark that a whole record follows.
"""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import msgspec

from relay.domain.ledger import AttemptContext, AttemptEnded, AttemptStarted

type Record = AttemptStarted | AttemptEnded

MARK = b"\xffR1\xff"
MAX_PAYLOAD_BYTES = 1024 * 1024
"""More than a record with every text and list at its cap (`cleaning`); a longer length is damage."""
SUFFIX = ".segment"

_HEAD = struct.Struct("<4sII")
_STARTED = b"S"
_ENDED = b"E"
_encode = msgspec.msgpack.Encoder().encode
_decode_started = msgspec.msgpack.Decoder(AttemptStarted).decode
_decode_ended = msgspec.msgpack.Decoder(AttemptEnded).decode


@dataclass(frozen=True, slots=True)
class Scan:
    """What a stretch of bytes holds: whole records in order, and the damaged ranges between them."""

    records: tuple[Record, ...]
    damaged: tuple[bytes, ...]


class _Start(msgspec.Struct, gc=False):
    """An `AttemptStarted` with its context as it was encoded before."""

    id: str
    request_id: str
    at_ms: int
    context: msgspec.Raw
    input_tokens_estimate: int


class _End(msgspec.Struct, omit_defaults=True, gc=False):
    """An `AttemptEnded` with the counts that were reported, and no others."""

    id: str
    outcome: str
    status: int
    duration_ms: int
    first_ms: int | None
    usage: dict[str, int]
    usage_source: str
    error_code: str = ""
    losses: tuple[str, ...] = ()


def encode_context(context: AttemptContext) -> bytes:
    """For `encode_start`."""
    return _encode(context)


def encode_start(started: AttemptStarted, context: bytes) -> bytes:
    """One frame."""
    start = _Start(
        started.id, started.request_id, started.at_ms, msgspec.Raw(context), started.input_tokens_estimate
    )
    return _framed(_STARTED + _encode(start))


def encode_end(ended: AttemptEnded, counts: dict[str, int]) -> bytes:
    """One frame; `counts` are those of its usage."""
    end = _End(
        ended.id,
        ended.outcome,
        ended.status,
        ended.duration_ms,
        ended.first_ms,
        counts,
        ended.usage_source,
        ended.error_code,
        ended.losses,
    )
    return _framed(_ENDED + _encode(end))


def encode(record: Record) -> bytes:
    """One frame."""
    match record:
        case AttemptStarted():
            return encode_start(record, encode_context(record.context))
        case AttemptEnded():
            return encode_end(record, record.usage.counts())
        case _:
            assert_never(record)


def _framed(payload: bytes) -> bytes:
    return _HEAD.pack(MARK, len(payload), zlib.crc32(payload)) + payload


def scan(data: bytes) -> Scan:
    """Every whole record in `data`; never raises."""
    records: list[Record] = []
    damaged: list[bytes] = []
    position = 0
    while position < len(data):
        found = _record_at(data, position)
        if found is not None:
            record, position = found
            records.append(record)
            continue
        following = data.find(MARK, position + 1)
        end = following if following >= 0 else len(data)
        damaged.append(data[position:end])
        position = end
    return Scan(tuple(records), tuple(damaged))


def _record_at(data: bytes, position: int) -> tuple[Record, int] | None:
    """The record whose frame begins here and the offset behind it, if there is a whole one."""
    start = position + _HEAD.size
    if start > len(data):
        return None
    mark, length, checksum = _HEAD.unpack_from(data, position)
    end = start + length
    if mark != MARK or length > MAX_PAYLOAD_BYTES or end > len(data):
        return None
    payload = data[start:end]
    if zlib.crc32(payload) != checksum:
        return None
    record = _decoded(payload)
    return None if record is None else (record, end)


def _decoded(payload: bytes) -> Record | None:
    try:
        match payload[:1]:
            case b"S":
                return _decode_started(payload[1:])
            case b"E":
                return _decode_ended(payload[1:])
            case _:
                return None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def segment_path(folder: Path, number: int) -> Path:
    """Where segment `number` is. Numbers rise from run to run, so names sort by age."""
    return folder / f"{number:012d}{SUFFIX}"


def quarantine_path(segment: Path, offset: int) -> Path:
    """Where the damaged stretches found from `offset` on are kept."""
    return segment.with_suffix(f".{offset}.bad")


def segment_numbers(folder: Path) -> list[int]:
    """The segments there are, oldest first."""
    return sorted(_number(path) for path in folder.glob(f"*{SUFFIX}") if _number(path))


def last_number(folder: Path) -> int:
    """The highest number a file was ever named by that is still there, quarantined ones included; 0 for none."""
    return max(map(_number, folder.iterdir()), default=0)


def _number(path: Path) -> int:
    stem = path.name.partition(".")[0]
    return int(stem) if stem.isascii() and stem.isdecimal() else 0
