"""Gemini's `:batchEmbedContents` (`gemini.embed`, https://ai.google.dev/api/embeddings).

The path names the model; a client's body has it as `model`, as whoever serves a client puts it there.
"""

import msgspec

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import WireRequest, check_items
from relay.adapters.dialects.embeddings.dialect import EmbedReading, EmbedScene
from relay.adapters.dialects.embeddings.losses import foreign, refuse_tokens
from relay.adapters.dialects.embeddings.vectors import read_vectors, written
from relay.adapters.dialects.gemini_generate import errors
from relay.adapters.dialects.gemini_generate.request import model_path
from relay.adapters.dialects.members import Members, count, is_said, items, members, object_in
from relay.adapters.dialects.openai_chat.envelope import check_utf8, regular
from relay.domain.embeddings import EmbeddingDialectName, EmbedRequest, EmbedResponse, unit
from relay.domain.errors import InvalidRequest, Malformed
from relay.domain.usage import Usage

NAME: EmbeddingDialectName = "gemini.embed"
MAX_INPUTS = 100

POVERTY = ("Counts other than the input's are left out.",)
REQUEST_POVERTY = (
    "Token ids, and more than 100 texts, are refused.",
    "`dimensions` of a client of Ollama's is not sent: vectors that are longer are cut by the relay.",
    "`truncate`, where it is false, is lost: an input that is too long is cut.",
    "What only another dialect knows is lost.",
)

_REDUCED = "outputDimensionality"


class _Content(msgspec.Struct):
    parts: list[dict[str, str]] = []


class _Asked(msgspec.Struct, rename="camel"):
    content: _Content
    output_dimensionality: int | None = None


class _Body(msgspec.Struct):
    model: str | None = None
    requests: list[_Asked] | None = None


_body = msgspec.json.Decoder(_Body, strict=False)


class GeminiEmbed:
    """The codec; see `EmbeddingDialect` for what each method promises."""

    name: EmbeddingDialectName = NAME
    content_type = errors.CONTENT_TYPE
    takes_tokens = False

    decode_error = staticmethod(errors.decode_error)
    encode_error = staticmethod(errors.encode_error)

    def decode_request(self, body: bytes) -> EmbedRequest:
        check_utf8(body)
        asked = regular(body, _body.decode)
        if not asked.model:
            raise InvalidRequest("a model is needed", code="missing_required_parameter", param="model")
        check_items(asked.requests)
        requests = asked.requests or []
        return EmbedRequest(
            model=asked.model,
            texts=tuple("".join(part.get("text", "") for part in each.content.parts) for each in requests),
            dimensions=next((each.output_dimensionality for each in requests), None),
        )

    def encode_request(self, request: EmbedRequest) -> WireRequest:
        """Raises `Unsupported` for token ids and too many texts."""
        refuse_tokens(request, "Gemini", MAX_INPUTS)
        common: dict[str, object] = {"model": f"models/{request.model.removeprefix('models/')}"}
        if request.dimensions is not None and not request.unit_length:
            common[_REDUCED] = request.dimensions
        requests = [common | {"content": {"parts": [{"text": text}]}} for text in request.texts]
        lost = ("truncate",) if request.truncate is False else ()
        return WireRequest(
            path=_path(request.model),
            body=lenient.encode({"requests": requests}),
            losses=(*lost, *foreign(request, NAME)),
        )

    def retarget(self, body: bytes, model: str) -> WireRequest:
        """Each of the requests names the model, too."""
        given = dict(regular(body, splice.top_level))
        given.pop("model", None)
        named = splice.raw(f"models/{model.removeprefix('models/')}")
        given["requests"] = splice.raw(
            [{**members(raw), "model": named} for raw in items(given.get("requests"))]
        )
        return WireRequest(path=_path(model), body=splice.assemble(given))

    def decode_response(self, body: bytes, request: EmbedRequest) -> EmbedReading:
        """Vectors of fewer dimensions than the model's own are not normalised there."""
        answer = object_in(body)
        if is_said(error := answer.get("error")) and error is not None:
            raise errors.fault_in(error).failure()
        values = [members(raw).get("values") for raw in items(answer.get("embeddings"))]
        found = [value for value in values if value is not None]
        if len(found) < len(values) or "embeddings" not in answer:
            raise Malformed("the provider's answer is not a list of embeddings")
        vectors = read_vectors(found)
        if request.dimensions is not None:
            vectors = tuple(map(unit, vectors))
        return EmbedReading(
            response=EmbedResponse(vectors=vectors, usage=_usage_in(answer)), is_as_asked=True
        )

    def rename_response(self, body: bytes, model: str) -> bytes:
        """The answer names no model."""
        return body

    def encode_response(self, response: EmbedResponse, scene: EmbedScene) -> bytes:
        answer: dict[str, object] = {
            "embeddings": [{"values": written(vector, "float")} for vector in response.vectors]
        }
        if response.usage is not None and response.usage.input_tokens is not None:
            answer["usageMetadata"] = {"promptTokenCount": response.usage.input_tokens}
        return lenient.encode(answer)


def _path(model: str) -> str:
    return f"{model_path(model)}:batchEmbedContents"


def _usage_in(answer: Members) -> Usage | None:
    """Most answers count nothing; some count by modality alone."""
    told = members(answer.get("usageMetadata"))
    details = [
        count(members(raw).get("tokenCount"))
        for name in ("promptTokenDetails", "promptTokensDetails")
        for raw in items(told.get(name))
    ]
    counted = [each for each in details if each is not None]
    tokens = count(told.get("promptTokenCount"))
    if tokens is None and counted:
        tokens = sum(counted)
    return None if tokens is None else Usage(input_tokens=tokens)
