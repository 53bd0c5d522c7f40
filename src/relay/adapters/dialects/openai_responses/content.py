"""Content of messages and of tools' results between wire and canonical form."""

from collections.abc import Iterator, Sequence
from typing import Final, assert_never

import msgspec

from relay.adapters.dialects.openai_chat.images import data_of, image_at, split, url_of
from relay.adapters.dialects.openai_responses import wire
from relay.domain.chat import Audio, DialectName, File, Image, Opaque, Refusal, Text
from relay.domain.errors import InvalidRequest

NAME: Final[DialectName] = "openai.responses"

_tag = msgspec.json.Decoder(wire.Tagged)
_part = msgspec.json.Decoder(wire.Part, strict=False)
_encoder = msgspec.json.Encoder()

type Content = Text | Image | Audio | File | Refusal | Opaque

_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
_KNOWN = (*_TEXTS, "refusal", "input_image", "input_file", "input_audio")


def read_content(content: object, place: str) -> Iterator[Content]:
    """The parts of a text or of a list of parts; empty texts are left out.

    A part of a kind that only this dialect knows is opaque. Raises `InvalidRequest`.
    """
    if isinstance(content, str):
        if content:
            yield Text(text=content)
    elif isinstance(content, list):
        for index, raw in enumerate(content):
            part = _read(raw, f"{place}[{index}]")
            if part != Text(text=""):
                yield part


def written_content(parts: Sequence[Content], *, is_answer: bool = False) -> str | list[msgspec.Raw]:
    """The parts of a turn or of a result: one text as it is, anything else as a list."""
    if not parts:
        return ""
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [_written(part, is_answer=is_answer) for part in parts]


def _read(raw: msgspec.Raw, place: str) -> Content:
    try:
        kind = _tag.decode(raw).type or "input_text"
        if kind not in _KNOWN:
            return Opaque(origin=NAME, json=bytes(raw).decode().strip())
        part = _part.decode(raw)
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"invalid value for {place!r}: {error}", code="invalid_value", param=place
        ) from None
    if kind in _TEXTS:
        return Text(text=part.text or "")
    found: Content | None = None
    if kind == "refusal":
        found = Refusal(text=part.refusal or "")
    elif kind == "input_audio" and part.input_audio is not None:
        found = Audio(data=part.input_audio.data, format=part.input_audio.format)
    elif kind == "input_image" and part.image_url is not None:
        found = image_at(part.image_url, part.detail)
    elif kind == "input_image" and part.file_id:
        found = Opaque(origin=NAME, json=bytes(raw).decode().strip())
    elif kind == "input_file" and (part.file_data or part.file_url or part.file_id):
        found = split(
            File(
                data=part.file_data or "",
                url=part.file_url or "",
                file_id=part.file_id or "",
                filename=part.filename,
            )
        )
    if found is None:
        raise InvalidRequest(
            f"content of type {kind!r} lacks its value", code="missing_required_parameter", param=place
        )
    return found


def _written(part: Content, *, is_answer: bool) -> msgspec.Raw:
    match part:
        case Opaque(json=json):
            return msgspec.Raw(json.encode())
        case Text(text=text):
            wired = wire.Part(type="output_text" if is_answer else "input_text", text=text)
        case Refusal(text=text):
            wired = wire.Part(type="refusal", refusal=text)
        case Image():
            wired = wire.Part(type="input_image", image_url=url_of(part), detail=part.detail)
        case Audio():
            wired = wire.Part(type="input_audio", input_audio=wire.Audio(data=part.data, format=part.format))
        case File():
            wired = wire.Part(
                type="input_file",
                file_data=data_of(part) or None,
                file_url=part.url or None,
                file_id=part.file_id or None,
                filename=part.filename,
            )
        case _:
            assert_never(part)
    return msgspec.Raw(_encoder.encode(wired))
