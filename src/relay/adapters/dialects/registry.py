"""The dialects by name."""

from collections.abc import Mapping

from relay.adapters.dialects import ollama_chat, ollama_generate, openai_chat
from relay.adapters.dialects.base import Dialect
from relay.domain.chat import DialectName

DIALECTS: Mapping[DialectName, Dialect] = {
    openai_chat.DIALECT.name: openai_chat.DIALECT,
    ollama_chat.DIALECT.name: ollama_chat.DIALECT,
    ollama_generate.DIALECT.name: ollama_generate.DIALECT,
}
