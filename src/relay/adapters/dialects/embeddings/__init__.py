"""The dialects of embeddings by name: OpenAI's and Perplexity's, Ollama's two, Gemini's, Cohere's."""

from collections.abc import Mapping

from relay.adapters.dialects.embeddings.cohere import CohereEmbed
from relay.adapters.dialects.embeddings.dialect import EmbeddingDialect, EmbedReading, EmbedScene
from relay.adapters.dialects.embeddings.gemini import GeminiEmbed
from relay.adapters.dialects.embeddings.ollama import OllamaEmbed, OllamaEmbeddings
from relay.adapters.dialects.embeddings.openai import OpenAIEmbeddings
from relay.adapters.dialects.embeddings.perplexity import PerplexityEmbeddings
from relay.domain.embeddings import EmbeddingDialectName

OPENAI: EmbeddingDialect = OpenAIEmbeddings()
OLLAMA: EmbeddingDialect = OllamaEmbed()
OLLAMA_LEGACY: EmbeddingDialect = OllamaEmbeddings()
GEMINI: EmbeddingDialect = GeminiEmbed()
COHERE: EmbeddingDialect = CohereEmbed()
PERPLEXITY: EmbeddingDialect = PerplexityEmbeddings()

EMBEDDING_DIALECTS: Mapping[EmbeddingDialectName, EmbeddingDialect] = {
    dialect.name: dialect for dialect in (OPENAI, OLLAMA, OLLAMA_LEGACY, GEMINI, COHERE, PERPLEXITY)
}

__all__ = [
    "COHERE",
    "EMBEDDING_DIALECTS",
    "GEMINI",
    "OLLAMA",
    "OLLAMA_LEGACY",
    "OPENAI",
    "PERPLEXITY",
    "EmbedReading",
    "EmbedScene",
    "EmbeddingDialect",
]
