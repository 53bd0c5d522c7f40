"""Requests and answers of the services that pass: the model is read and replaced, the counts are read, no more.

Field names are those of OpenAI's reference (moderations, images, audio) and of Cohere's and Jina's rerank, which
compatible servers share.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import msgspec

from relay.adapters.dialects import lenient, multipart, splice
from relay.adapters.dialects.framing import SseSplitter
from relay.adapters.dialects.openai_chat.envelope import check_utf8, regular
from relay.domain.errors import InvalidRequest, Malformed
from relay.domain.services import ServiceName
from relay.domain.usage import MAX_COUNT, Usage

DEFAULT_MODELS: Mapping[ServiceName, str] = {"moderations": "omni-moderation-latest"}
"""What OpenAI's own reference says a request means that names no model."""

_FORMS: frozenset[ServiceName] = frozenset({"transcriptions", "translations"})
_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:\s*;\s*[\w-]+=[\w.+-]+)*")
_EXECUTABLE = (
    "text/html",
    "application/xhtml+xml",
    "image/svg+xml",
    "application/javascript",
    "text/javascript",
)
_UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """A request as far as it is read: `aimed` gives its body, of this content type, for the model of a provider.

    `characters` counts what shall be spoken; `text_bytes` is the size of what shall be judged, drawn or ranked.
    """

    model: str
    aimed: Callable[[str], bytes]
    content_type: str = "application/json"
    characters: int = 0
    text_bytes: int = 0


def read_request(service: ServiceName, body: bytes, content_type: str) -> ServiceRequest:
    """What is read of a request. Raises `InvalidRequest`."""
    if multipart.is_form(content_type):
        if service not in _FORMS:
            raise InvalidRequest("this route takes JSON", status=415)
        boundary = multipart.boundary_of(content_type)
        field = multipart.find_model(body, boundary)
        own_type = f'multipart/form-data; boundary="{boundary}"'
        return ServiceRequest(field.name, partial(multipart.with_model, body, field), own_type)
    if service in _FORMS:
        raise InvalidRequest("this route takes a form: multipart/form-data", status=415)
    check_utf8(body)
    members = regular(body, splice.top_level)
    members = {name: value for name, value in members.items() if not splice.is_other_spelling(name)}
    model = _text(members.get("model")) or DEFAULT_MODELS.get(service, "")
    if not model:
        raise InvalidRequest(
            "you must provide a model parameter", code="missing_required_parameter", param="model"
        )
    return ServiceRequest(
        model,
        lambda wanted: splice.assemble({**members, "model": splice.raw(wanted)}),
        characters=len(_text(members.get("input"))) if service == "speech" else 0,
        text_bytes=sum(len(members.get(name, b"")) for name in ("input", "prompt", "query", "documents")),
    )


def passed_content_type(told: str) -> str:
    """The content type of an answer, where it may be passed on: nothing that a browser would run."""
    told = told.strip()
    kind = told.partition(";")[0].strip().lower()
    return told if _CONTENT_TYPE.fullmatch(told) and kind not in _EXECUTABLE else _UNKNOWN


def renamed(body: bytes, model: str) -> bytes:
    """A whole answer in JSON with the model's name replaced, where it has one; any other body as it is."""
    try:
        members = splice.top_level(body)
    except lenient.Undecodable:
        return body
    return splice.assemble({**members, "model": splice.raw(model)}) if "model" in members else body


def usage_of(body: bytes) -> Usage | None:
    """What a whole answer in JSON counts; `None` when it counts nothing."""
    try:
        value = lenient.loads(body)
    except lenient.Undecodable:
        return None
    return _usage_in(value) if isinstance(value, dict) else None


class StreamedUsage:
    """The counts of an answer that is an event stream, taken from its events as they pass."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._splitter: SseSplitter | None = SseSplitter()

    def see(self, data: bytes) -> None:
        """Take the next bytes. A stream whose events cannot be told apart counts nothing."""
        if self._splitter is None:
            return
        try:
            events = self._splitter.feed(data)
        except Malformed:
            self._splitter = None
            return
        for event in events:
            if b'"usage"' in event.data and (found := usage_of(event.data)) is not None:
                self.usage = found if self.usage is None else self.usage.merged(found)


def _usage_in(answer: Mapping[str, object]) -> Usage | None:
    told = _table(answer.get("usage"))
    details = _table(told.get("input_tokens_details") or told.get("input_token_details"))
    produced = _table(told.get("output_tokens_details") or told.get("output_token_details"))
    units = _table(_table(answer.get("meta")).get("billed_units"))
    images = answer.get("data") if "created" in answer else None
    total = _count(told.get("total_tokens"))
    counted_input = _first(told.get("input_tokens"), told.get("prompt_tokens"), units.get("input_tokens"))
    usage = Usage(
        input_tokens=total if counted_input is None else counted_input,
        input_audio_tokens=_count(details.get("audio_tokens")),
        input_image_tokens=_count(details.get("image_tokens")),
        output_tokens=_first(
            told.get("output_tokens"), told.get("completion_tokens"), units.get("output_tokens")
        ),
        output_image_tokens=_count(produced.get("image_tokens")),
        audio_seconds=_seconds(_first_told(told, answer)),
        images=len(images) if isinstance(images, list) else None,
        requests=_first(units.get("search_units"), told.get("search_units")),
    )
    return usage if usage.counts() else None


def _first_told(told: Mapping[str, object], answer: Mapping[str, object]) -> object:
    """OpenAI's `usage.seconds`, or the `duration` of a verbose transcription."""
    return told.get("seconds", told.get("prompt_audio_seconds", answer.get("duration")))


def _seconds(value: object) -> int | None:
    """Whole seconds, as they are billed: a part of one counts as one."""
    try:
        seconds = (
            float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else -1.0
        )
    except (ValueError, OverflowError):
        return None
    return math.ceil(seconds) if 0 <= seconds <= MAX_COUNT else None


def _first(*values: object) -> int | None:
    return next((count for value in values if (count := _count(value)) is not None), None)


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
    return value if is_count and isinstance(value, int) else None


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: msgspec.Raw | None) -> str:
    if value is None or not bytes(value).startswith(b'"'):
        return ""
    return lenient.clean_text(msgspec.json.decode(value, type=str))
