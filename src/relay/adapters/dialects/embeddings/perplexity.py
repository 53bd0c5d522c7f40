"""Perplexity's `/v1/embeddings` (`perplexity.embeddings`): OpenAI's, but for vectors of one byte per number.

https://docs.perplexity.ai/api-reference/embeddings-post: they come in base64 and not normalised.
"""

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import WireRequest
from relay.adapters.dialects.embeddings.losses import foreign, refuse_tokens
from relay.adapters.dialects.embeddings.openai import OpenAIEmbeddings
from relay.adapters.dialects.embeddings.vectors import read_int8
from relay.domain.embeddings import EmbeddingDialectName, EmbedRequest

NAME: EmbeddingDialectName = "perplexity.embeddings"
MAX_INPUTS = 512

REQUEST_POVERTY = (
    "Token ids, and more than 512 texts, are refused.",
    "`truncate`, where it is true, is lost: an input that is too long is refused.",
    "What only another dialect knows is lost.",
)
POVERTY = ("Vectors are of whole numbers from -128 to 127, and brought to length 1.",)


class PerplexityEmbeddings(OpenAIEmbeddings):
    """The codec; see `EmbeddingDialect` for what each method promises."""

    name: EmbeddingDialectName = NAME
    takes_tokens = False
    path = "/v1/embeddings"
    read_vector = staticmethod(read_int8)

    def encode_request(self, request: EmbedRequest) -> WireRequest:
        """Raises `Unsupported` for token ids and too many texts."""
        refuse_tokens(request, "Perplexity", MAX_INPUTS)
        members: dict[str, object] = {
            "model": request.model,
            "input": request.texts,
            "encoding_format": "base64_int8",
        }
        if request.dimensions is not None and not request.unit_length:
            members["dimensions"] = request.dimensions
        lost = ("truncate",) if request.truncate else ()
        return WireRequest(
            path=self.path, body=lenient.encode(members), losses=(*lost, *foreign(request, NAME))
        )
