"""The dialects by name."""

from collections.abc import Mapping

from relay.adapters.dialects import (
    anthropic_messages,
    cohere_v2,
    gemini_generate,
    ollama_chat,
    ollama_generate,
    openai_chat,
    openai_completions,
    openai_responses,
)
from relay.adapters.dialects.base import ClientDialect, Dialect
from relay.domain.chat import DialectName

DIALECTS: Mapping[DialectName, Dialect] = {
    openai_chat.DIALECT.name: openai_chat.DIALECT,
    openai_responses.DIALECT.name: openai_responses.DIALECT,
    anthropic_messages.DIALECT.name: anthropic_messages.DIALECT,
    ollama_chat.DIALECT.name: ollama_chat.DIALECT,
    ollama_generate.DIALECT.name: ollama_generate.DIALECT,
    gemini_generate.DIALECT.name: gemini_generate.DIALECT,
    cohere_v2.DIALECT.name: cohere_v2.DIALECT,
}
"""Those that clients and providers speak."""

CLIENT_DIALECTS: Mapping[DialectName, ClientDialect] = {
    **DIALECTS,
    openai_completions.DIALECT.name: openai_completions.DIALECT,
}
"""Those that clients speak."""
