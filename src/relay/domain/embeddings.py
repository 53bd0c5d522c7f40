"""Embeddings: the canonical request and answer, and the vectors a caller gets for what it asked."""

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from relay.domain.chat import JsonText
from relay.domain.errors import Malformed
from relay.domain.usage import Usage

type EmbeddingDialectName = Literal[
    "openai.embeddings",
    "ollama.embed",
    "ollama.embeddings",
    "gemini.embed",
    "cohere.embed",
    "perplexity.embeddings",
]
type VectorEncoding = Literal["float", "base64"]
type Vector = array[float]
"""Doubles (type code `d`), never changed once made: a quarter of the memory of a tuple."""

MAX_FLOAT32 = 3.4028234663852886e38
"""What base64, which is 32-bit floats everywhere, can still hold."""

UNIT_TOLERANCE = 1e-4
"""How far from 1 a length may be that counts as 1: what is left of it in 16-bit floats is nearer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    """One embeddings call: `texts` or, from clients that tokenise themselves, `token_lists`, never both.

    `dimensions` is the most a vector may have. `unit_length` says that the caller's dialect promises vectors of
    length 1 from every model. `truncate` says whether an input that is too long may be cut; `None` leaves it to
    the provider. `encoding` is how the caller reads vectors. `extras` are as those of a `ChatRequest`.
    """

    model: str
    texts: tuple[str, ...] = ()
    token_lists: tuple[tuple[int, ...], ...] = ()
    dimensions: int | None = None
    unit_length: bool = False
    encoding: VectorEncoding = "float"
    truncate: bool | None = None
    extras: Mapping[EmbeddingDialectName, Mapping[str, JsonText]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many vectors are wanted."""
        return len(self.texts) or len(self.token_lists)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedResponse:
    """A whole answer, its vectors in the order of the inputs; `usage` is `None` when none was reported."""

    vectors: tuple[Vector, ...]
    usage: Usage | None = None


def fitted(response: EmbedResponse, request: EmbedRequest) -> EmbedResponse:
    """The answer with vectors as the request wants them: the same object when they are so already.

    A vector that is longer than asked is cut and brought to length 1, as OpenAI and Ollama do it. Raises
    `Malformed` for what cannot be the answer: another number of vectors, vectors of different sizes or of none,
    numbers that are none.
    """
    if len(response.vectors) != request.count:
        raise Malformed(f"the provider answered {request.count} inputs with {len(response.vectors)} vectors")
    if len({len(vector) for vector in response.vectors}) > 1:
        raise Malformed("the provider's vectors differ in size")
    vectors = tuple(_fitted(vector, request) for vector in response.vectors)
    if all(new is old for new, old in zip(vectors, response.vectors, strict=True)):
        return response
    return replace(response, vectors=vectors)


def _fitted(vector: Vector, request: EmbedRequest) -> Vector:
    length = math.hypot(*vector)
    if not (vector and length <= MAX_FLOAT32):  # a comparison with NaN is false
        raise Malformed("a vector of the provider's answer is empty or not made of numbers")
    if request.dimensions is not None and len(vector) > request.dimensions:
        vector = vector[: request.dimensions]
        return unit(vector)
    if request.unit_length and abs(length - 1) > UNIT_TOLERANCE:
        return unit(vector)
    return vector


def unit(vector: Vector) -> Vector:
    """The vector with length 1; one of zeros has no direction and stays as it is."""
    length = math.hypot(*vector)
    return array("d", [number / length for number in vector]) if length else vector
