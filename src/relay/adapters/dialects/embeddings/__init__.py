"""The dialects of embeddings by name: OpenAI's, Ollama's, and the one Ollama had before."""

from collections.abc import Mapping

from relay.adapters.dialects.embeddings.dialect import EmbeddingDialect, EmbedReading, EmbedScene
from relay.adapters.dialects.embeddings.ollama import OllamaEmbed, OllamaEmbeddings
from relay.adapters.dialects.embeddings.openai import OpenAIEmbeddings
from relay.domain.embeddings import EmbeddingDialectName

OPENAI: EmbeddingDialect = OpenAIEmbeddings()
OLLAMA: EmbeddingDialect = OllamaEmbed()
OLLAMA_LEGACY: EmbeddingDialect = OllamaEmbeddings()

EMBEDDING_DIALECTS: Mapping[EmbeddingDialectName, EmbeddingDialect] = {
    dialect.name: dialect for dialect in (OPENAI, OLLAMA, OLLAMA_LEGACY)
}

__all__ = [
    "EMBEDDING_DIALECTS",
    "OLLAMA",
    "OLLAMA_LEGACY",
    "OPENAI",
    "EmbedReading",
    "EmbedScene",
    "EmbeddingDialect",
]
