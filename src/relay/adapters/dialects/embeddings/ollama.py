"""Ollama's `/api/embed` (`ollama.embed`), and the `/api/embeddings` that came before it (`ollama.embeddings`)."""

from collections.abc import Iterator
from functools import partial

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import WireError, WireRequest, check_items
from relay.adapters.dialects.embeddings.dialect import EmbedReading, EmbedScene
from relay.adapters.dialects.embeddings.vectors import read_count, read_vectors, written
from relay.adapters.dialects.ollama_chat import errors, options
from relay.adapters.dialects.ollama_chat.provider_request import renamed
from relay.adapters.dialects.ollama_chat.reading import Members, given, read
from relay.adapters.dialects.ollama_chat.writing import encoded, shown_count
from relay.domain.chat import JsonText
from relay.domain.embeddings import EmbeddingDialectName, EmbedRequest, EmbedResponse
from relay.domain.errors import InvalidRequest, Malformed, RelayError, UnknownModel, Unsupported
from relay.domain.usage import Usage

EMBED: EmbeddingDialectName = "ollama.embed"
LEGACY: EmbeddingDialectName = "ollama.embeddings"
EMBED_PATH = "/api/embed"
LEGACY_PATH = "/api/embeddings"

POVERTY = (
    "A vector whose length is not 1 is brought to it.",
    "Counts other than the input's are left out, and so is a count of zero.",
)
REQUEST_POVERTY = (
    "Token ids are refused.",
    "What only OpenAI knows (`user`) is lost; the form of vectors is not, as the relay sees to it.",
)
LEGACY_POVERTY = ("Everything but the vector is left out.",)
LEGACY_REQUEST_POVERTY = (
    *REQUEST_POVERTY,
    "More than one text is refused.",
    "`dimensions` and `truncate` are lost.",
)

ABSENT = Raw(b"")
_LOAD_NS = 1  # nothing is loaded here, and Ollama leaves zero out
_SHORTEST_NS = 2

type _Input = str | list[str]


class _Settings(msgspec.Struct, forbid_unknown_fields=True):
    """What both bodies have."""

    model: str | None = None
    keep_alive: Raw = ABSENT
    options: dict[str, Raw] | None = None


class _EmbedBody(_Settings, forbid_unknown_fields=True):
    """A caller's body of `/api/embed`."""

    input: Raw = ABSENT
    truncate: bool | None = None
    dimensions: int | None = None


class _LegacyBody(_Settings, forbid_unknown_fields=True):
    """A caller's body of `/api/embeddings`."""

    prompt: str | None = None


class _Embedded(msgspec.Struct):
    """A provider's answer of either kind, or its error; the count is not trusted to be one."""

    embeddings: list[Raw] | None = None
    embedding: Raw = ABSENT
    prompt_eval_count: object = None
    error: Raw = ABSENT


class _Written(msgspec.Struct, omit_defaults=True):
    """An answer of `/api/embed`; durations are nanoseconds."""

    model: str
    embeddings: list[Raw]
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None


_embed_body = msgspec.json.Decoder(_EmbedBody)
_legacy_body = msgspec.json.Decoder(_LegacyBody)
_input = msgspec.json.Decoder(_Input)
_embedded = msgspec.json.Decoder(_Embedded)
_encoder = msgspec.json.Encoder()


class OllamaEmbed:
    """The codec of `/api/embed`; see `EmbeddingDialect` for what each method promises."""

    name: EmbeddingDialectName = EMBED
    content_type = errors.CONTENT_TYPE
    takes_tokens = False

    decode_error = staticmethod(errors.decode_error)
    encode_error = staticmethod(errors.encode_error)

    def decode_request(self, body: bytes) -> EmbedRequest:
        """No input at all is legal, and has no vectors."""
        asked, unknown = read(_embed_body, _EmbedBody, body)
        texts = _texts(asked.input)
        if not asked.model:
            # Ollama looks for the model by its empty name.
            raise InvalidRequest("model '' not found", status=404, param="model")
        extras = _extras(asked, unknown)
        return EmbedRequest(
            model=asked.model,
            texts=texts,
            dimensions=asked.dimensions if asked.dimensions and asked.dimensions > 0 else None,
            unit_length=True,
            truncate=asked.truncate,
            extras={EMBED: extras} if extras else {},
        )

    def encode_request(self, request: EmbedRequest) -> WireRequest:
        _refuse_tokens(request)
        members: dict[str, object] = {"model": request.model, "input": request.texts}
        if request.truncate is not None:
            members["truncate"] = request.truncate
        if request.dimensions is not None:
            members["dimensions"] = request.dimensions
        return _wire_request(EMBED_PATH, members, request, ())

    def retarget(self, body: bytes, model: str) -> WireRequest:
        return WireRequest(path=EMBED_PATH, body=splice.assemble(renamed(body, model)))

    def decode_response(self, body: bytes, request: EmbedRequest) -> EmbedReading:
        answer = _read_answer(body)
        if answer.embeddings is None:
            raise Malformed("the provider's answer has no embeddings")
        tokens = read_count(answer.prompt_eval_count)
        response = EmbedResponse(
            vectors=read_vectors(answer.embeddings),
            usage=None if tokens is None else Usage(input_tokens=tokens),
        )
        return EmbedReading(response=response, is_as_asked=True)

    def rename_response(self, body: bytes, model: str) -> bytes:
        return splice.assemble(splice.top_level(body) | {"model": splice.raw(model)})

    def encode_response(self, response: EmbedResponse, scene: EmbedScene) -> bytes:
        """Without inputs nothing was done, and no time is told."""
        answer = _Written(scene.model, [written(vector, "float") for vector in response.vectors])
        if response.vectors:
            answer.total_duration = max(scene.clock_ns() - scene.started_ns, _SHORTEST_NS)
            answer.load_duration = _LOAD_NS
        if response.usage is not None:
            answer.prompt_eval_count = shown_count(response.usage.input_tokens)
        return encoded(answer)


class OllamaEmbeddings:
    """The codec of `/api/embeddings`; see `EmbeddingDialect` for what each method promises."""

    name: EmbeddingDialectName = LEGACY
    content_type = errors.CONTENT_TYPE
    takes_tokens = False

    decode_error = staticmethod(errors.decode_error)

    def decode_request(self, body: bytes) -> EmbedRequest:
        """No prompt at all is legal, and has no vector."""
        asked, unknown = read(_legacy_body, _LegacyBody, body)
        if not asked.model:
            raise InvalidRequest("model is required", param="model")
        extras = _extras(asked, unknown)
        return EmbedRequest(
            model=asked.model,
            texts=(asked.prompt,) if asked.prompt else (),
            extras={LEGACY: extras} if extras else {},
        )

    def encode_request(self, request: EmbedRequest) -> WireRequest:
        _refuse_tokens(request)
        if len(request.texts) != 1:
            raise Unsupported("this provider embeds one text per call", param="input")
        lost = [("dimensions", request.dimensions), ("truncate", request.truncate)]
        members: dict[str, object] = {"model": request.model, "prompt": request.texts[0]}
        return _wire_request(
            LEGACY_PATH, members, request, tuple(name for name, value in lost if value is not None)
        )

    def retarget(self, body: bytes, model: str) -> WireRequest:
        return WireRequest(path=LEGACY_PATH, body=splice.assemble(renamed(body, model)))

    def decode_response(self, body: bytes, request: EmbedRequest) -> EmbedReading:
        answer = _read_answer(body)
        if not given(answer.embedding):
            raise Malformed("the provider's answer has no embedding")
        response = EmbedResponse(vectors=read_vectors([answer.embedding]))
        return EmbedReading(response=response, is_as_asked=True)

    def rename_response(self, body: bytes, model: str) -> bytes:
        """The answer names no model."""
        return body

    def encode_response(self, response: EmbedResponse, scene: EmbedScene) -> bytes:
        vector = written(response.vectors[0], "float") if response.vectors else Raw(b"[]")
        return encoded({"embedding": vector})

    def encode_error(self, error: RelayError) -> WireError:
        """As ever, but for an unknown model, of which this route always spoke in other words."""
        if not isinstance(error, UnknownModel):
            return errors.encode_error(error)
        text = lenient.clean_text(f'model "{error.name}" not found, try pulling it first')
        return WireError(status=error.status, body=encoded({"error": text}), content_type=errors.CONTENT_TYPE)


def _texts(value: Raw) -> tuple[str, ...]:
    """A list as it is, even of an empty text; a text alone only when it is not empty."""
    if not (text := given(value)):
        return ()
    try:
        said = lenient.decode(_input, partial(msgspec.convert, type=_Input), text)
    except lenient.Undecodable:
        raise InvalidRequest("invalid input type", param="input") from None
    if isinstance(said, str):
        return (said,) if said else ()
    check_items(said)
    return tuple(said)


def _extras(asked: _Settings, unknown: Members) -> dict[str, JsonText]:
    """Raises `InvalidRequest` for settings that Ollama would refuse."""
    options.keep_alive_s(asked.keep_alive)
    options.read_options(asked.options or {}, logprobs=None, top_logprobs=None)
    settings = Raw(_encoder.encode(asked.options)) if asked.options else ABSENT
    members = {"keep_alive": asked.keep_alive, "options": settings, **unknown}
    return {name: options.json_text(value) for name, value in members.items() if given(value)}


def _refuse_tokens(request: EmbedRequest) -> None:
    if request.token_lists:
        raise Unsupported("Ollama embeds text, not token ids", param="input")


def _wire_request(
    path: str, members: dict[str, object], request: EmbedRequest, lost: tuple[str, ...]
) -> WireRequest:
    """The body with what Ollama's callers said besides; both endpoints know the same settings."""
    for name in (EMBED, LEGACY):
        for field, text in request.extras.get(name, {}).items():
            members.setdefault(field, Raw(text.encode()))
    return WireRequest(path=path, body=lenient.encode(members), losses=(*lost, *_foreign(request)))


def _foreign(request: EmbedRequest) -> Iterator[str]:
    for dialect, extras in request.extras.items():
        if dialect not in (EMBED, LEGACY):
            yield from (f"{dialect}:{name}" for name in extras)


def _read_answer(body: bytes) -> _Embedded:
    try:
        answer = _embedded.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Malformed("the provider's answer is not one of Ollama's") from None
    if given(answer.error):
        raise errors.line_failure(answer.error)
    return answer
