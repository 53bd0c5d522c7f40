"""Cohere's `/v2/embed` (`cohere.embed`, https://docs.cohere.com/reference/embed).

What a text is for (`input_type`) is asked of every caller; clients of other dialects may say it as a field of that
name, and the provider's row has one for those that do not.
"""

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import WireRequest, check_items
from relay.adapters.dialects.cohere_v2 import errors
from relay.adapters.dialects.embeddings.dialect import EmbedReading, EmbedScene
from relay.adapters.dialects.embeddings.losses import foreign, refuse_tokens
from relay.adapters.dialects.embeddings.vectors import read_vectors, written
from relay.adapters.dialects.members import count, items, members, object_in
from relay.adapters.dialects.openai_chat.envelope import check_utf8, regular
from relay.domain.chat import JsonText
from relay.domain.embeddings import EmbeddingDialectName, EmbedRequest, EmbedResponse
from relay.domain.errors import InvalidRequest, Malformed
from relay.domain.usage import Usage

NAME: EmbeddingDialectName = "cohere.embed"
PATH = "/v2/embed"
MAX_INPUTS = 96

POVERTY = ("Counts other than the input's are left out.",)
REQUEST_POVERTY = (
    "Token ids, and more than 96 texts, are refused.",
    "`dimensions` of a client of Ollama's is not sent: vectors that are longer are cut by the relay.",
    "What only another dialect knows is lost, but for `input_type`.",
)

_PURPOSE = "input_type"
_KNOWN = frozenset({"model", "texts", "embedding_types", "output_dimension", "truncate"})
_TRUNCATE = {None: None, True: "END", False: "NONE"}


class _Body(msgspec.Struct):
    model: str | None = None
    texts: list[str] | None = None
    output_dimension: int | None = None
    truncate: str | None = None


_body = msgspec.json.Decoder(_Body, strict=False)


class CohereEmbed:
    """The codec; see `EmbeddingDialect` for what each method promises."""

    name: EmbeddingDialectName = NAME
    content_type = errors.CONTENT_TYPE
    takes_tokens = False

    decode_error = staticmethod(errors.decode_error)
    encode_error = staticmethod(errors.encode_error)

    def decode_request(self, body: bytes) -> EmbedRequest:
        check_utf8(body)
        return regular(body, _decoded)

    def encode_request(self, request: EmbedRequest) -> WireRequest:
        """Raises `Unsupported` for token ids and too many texts."""
        refuse_tokens(request, "Cohere", MAX_INPUTS)
        body: dict[str, object] = {
            "model": request.model,
            "texts": request.texts,
            "embedding_types": ["float"],
        }
        if request.dimensions is not None and not request.unit_length:
            body["output_dimension"] = request.dimensions
        if (word := _TRUNCATE[request.truncate]) is not None:
            body["truncate"] = word
        for name, text in _carried(request).items():
            body.setdefault(name, Raw(text.encode()))
        losses = tuple(foreign(request, NAME, frozenset({_PURPOSE})))
        return WireRequest(path=PATH, body=lenient.encode(body), losses=losses)

    def retarget(self, body: bytes, model: str) -> WireRequest:
        given = dict(regular(body, splice.top_level))
        given["model"] = splice.raw(model)
        return WireRequest(path=PATH, body=splice.assemble(given))

    def decode_response(self, body: bytes, request: EmbedRequest) -> EmbedReading:
        answer = object_in(body)
        if errors.is_fault(answer):
            raise errors.failure_in(answer)
        embeddings = answer.get("embeddings")
        found = members(embeddings).get("float")
        if found is None:
            raise Malformed("the provider's answer is not a list of embeddings")
        billed = members(members(answer.get("meta")).get("billed_units"))
        tokens = count(billed.get("input_tokens"))
        response = EmbedResponse(
            vectors=read_vectors(items(found)), usage=None if tokens is None else Usage(input_tokens=tokens)
        )
        return EmbedReading(response=response, is_as_asked=True)

    def rename_response(self, body: bytes, model: str) -> bytes:
        """The answer names no model."""
        return body

    def encode_response(self, response: EmbedResponse, scene: EmbedScene) -> bytes:
        answer: dict[str, object] = {
            "embeddings": {"float": [written(vector, "float") for vector in response.vectors]}
        }
        if response.usage is not None and response.usage.input_tokens is not None:
            answer["meta"] = {"billed_units": {"input_tokens": response.usage.input_tokens}}
        return lenient.encode(answer)


def _decoded(body: bytes) -> EmbedRequest:
    asked = _body.decode(body)
    if not asked.model:
        raise InvalidRequest("a model is needed", code="missing_required_parameter", param="model")
    check_items(asked.texts)
    extras = {name: bytes(raw).decode() for name, raw in splice.top_level(body).items() if name not in _KNOWN}
    return EmbedRequest(
        model=asked.model,
        texts=tuple(asked.texts or ()),
        dimensions=asked.output_dimension,
        truncate=None if asked.truncate is None else asked.truncate != "NONE",
        extras={NAME: extras} if extras else {},
    )


def _carried(request: EmbedRequest) -> dict[str, JsonText]:
    """Cohere's own fields, and what its inputs are for, in whatever dialect that was said."""
    purposes = [extras[_PURPOSE] for extras in request.extras.values() if _PURPOSE in extras]
    own = dict(request.extras.get(NAME, {}))
    return own if not purposes else {_PURPOSE: purposes[0], **own}
