"""From a provider's JSON to a chunk: typed where it is regular, member by member where it is not.

Providers send objects for arguments, numbers for texts, indexes as texts, `null` and odd shapes anywhere. What
cannot be read is taken as not sent; only bytes that are no JSON at all are `Malformed`.
"""

import json

import msgspec

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.openai_chat import wire
from relay.adapters.dialects.openai_chat.errors import fault_in
from relay.domain.errors import Malformed

_chunks = msgspec.json.Decoder(wire.Chunk)


def regular_chunk(data: bytes) -> wire.Chunk | None:
    """The chunk, or whole answer, of JSON in which everything is of the type it should be; else `None`."""
    try:
        if not data.isascii():
            data.decode()  # the decoder passes over what it does not read
        return _chunks.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def read_chunk(data: bytes, *, is_error: bool = False) -> wire.Chunk:
    """The chunk of one event, or of a whole answer. `is_error` when the event is named so.

    Raises `Malformed`, or the provider's own failure when that is what the JSON holds and it holds no more.
    """
    chunk = regular_chunk(data)
    if chunk is None:
        try:
            return _irregular(json_value(data), is_error=is_error)
        except RecursionError:
            raise Malformed("the provider sent JSON that is nested too deeply") from None
    if chunk.choices is None or is_error:
        _check(json_value(data), is_error=is_error)
    return chunk


def json_value(data: bytes) -> object:
    """Any JSON value of a provider. Raises `Malformed`."""
    try:
        return lenient.loads(data)
    except lenient.Undecodable as error:
        raise Malformed(f"the provider sent {error}") from None


def members_of(data: bytes) -> dict[str, msgspec.Raw]:
    """The top level of a provider's object, to be passed on; irregular text is cleaned. Raises `Malformed`."""
    try:
        if not data.isascii():
            data.decode()  # what is only passed on is not looked at otherwise
        return splice.top_level(data)
    except (lenient.Undecodable, UnicodeDecodeError):
        pass
    try:
        return splice.top_level(lenient.encode(json_value(data)))
    except (lenient.Undecodable, RecursionError):
        raise Malformed("the provider sent no JSON object") from None


def _irregular(value: object, *, is_error: bool) -> wire.Chunk:
    _check(value, is_error=is_error)
    if not isinstance(value, dict):
        return wire.Chunk()
    choices = value.get("choices")
    return wire.Chunk(
        id=_text(value.get("id")),
        model=_text(value.get("model")),
        created=_int(value.get("created")),
        choices=[_choice(item) for item in _dicts(choices)] if isinstance(choices, list) else None,
        usage=value.get("usage"),
        x_groq=value.get("x_groq"),
        error=value.get("error"),
        citations=value.get("citations"),
        search_results=value.get("search_results"),
    )


def _check(value: object, *, is_error: bool) -> None:
    """An error beside choices is left to the reader, which takes the usage out of the chunk first."""
    has_more = isinstance(value, dict) and ("choices" in value or "usage" in value)
    fault = None if has_more and not is_error else fault_in(value, is_error=is_error)
    if fault is not None:
        raise fault.failure()


def _choice(value: dict[str, object]) -> wire.Choice:
    return wire.Choice(
        index=_int(value.get("index")),
        delta=_delta(value.get("delta")),
        message=_delta(value.get("message")),
        finish_reason=_text(value.get("finish_reason")),
        native_finish_reason=_text(value.get("native_finish_reason")),
        logprobs=_logprobs(value.get("logprobs")),
        error=value.get("error"),
    )


def _delta(value: object) -> wire.Delta | None:
    if not isinstance(value, dict):
        return None
    content = value.get("content")
    return wire.Delta(
        role=_text(value.get("role")),
        content=[_part(item) for item in _dicts(content)] if isinstance(content, list) else _text(content),
        reasoning_content=_text(value.get("reasoning_content")),
        reasoning=_text(value.get("reasoning")),
        reasoning_details=value.get("reasoning_details"),
        refusal=_text(value.get("refusal")),
        tool_calls=[_call(item) for item in _dicts(value.get("tool_calls"))],
        annotations=[_annotation(item) for item in _dicts(value.get("annotations"))],
    )


def _annotation(value: dict[str, object]) -> wire.Annotation:
    cited = value.get("url_citation")
    return wire.Annotation(
        type=_text(value.get("type")),
        url_citation=wire.UrlCitation(
            url=_text(cited.get("url")),
            title=_text(cited.get("title")),
            start_index=_int(cited.get("start_index")),
            end_index=_int(cited.get("end_index")),
        )
        if isinstance(cited, dict)
        else None,
    )


def _part(value: dict[str, object]) -> wire.ContentPart:
    thinking = value.get("thinking")
    return wire.ContentPart(
        type=_text(value.get("type")) or "",
        text=_text(value.get("text")),
        thinking=[_part(item) for item in _dicts(thinking)]
        if isinstance(thinking, list)
        else _text(thinking),
    )


def _call(value: dict[str, object]) -> wire.ToolCallDelta:
    function = value.get("function")
    return wire.ToolCallDelta(
        index=_int(value.get("index")),
        id=_text(value.get("id")),
        function=wire.FunctionDelta(
            name=_text(function.get("name")), arguments=_arguments(function.get("arguments"))
        )
        if isinstance(function, dict)
        else None,
    )


def _arguments(value: object) -> str | None:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _text(value)


def _logprobs(value: object) -> wire.Logprobs | None:
    try:
        return msgspec.convert(value, wire.Logprobs)
    except (msgspec.ValidationError, RecursionError):
        return None


def _dicts(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else None


def _int(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
