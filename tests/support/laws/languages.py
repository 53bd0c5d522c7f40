"""Every dialect of the registry with its declared poverty: a new dialect is put to the laws by being registered."""

from collections.abc import Mapping
from importlib import import_module

from hypothesis import strategies as st

from relay.adapters.dialects.base import ClientDialect, Dialect
from relay.adapters.dialects.registry import CLIENT_DIALECTS, DIALECTS
from relay.domain.chat import ChatRequest, DialectName
from tests.support.laws.language import ClientLanguage, Language
from tests.support.strategies.prompts import prompts
from tests.support.strategies.requests import requests

REQUESTS: Mapping[DialectName, st.SearchStrategy[ChatRequest]] = {"ollama.generate": prompts}
"""What a dialect is tried on, where that is no conversation."""


def language_of(dialect: Dialect, package: str) -> Language:
    """A dialect with the norms that its package declares."""
    norm = import_module(f"{package}.norm")
    return Language(
        dialect=dialect,
        norm=norm.norm,
        norm_request=norm.norm_request,
        requests=REQUESTS.get(dialect.name, requests),
    )


def package_of(dialect: ClientDialect) -> str:
    """Where a dialect's codec lives: `openai.chat` in `openai_chat`."""
    return f"relay.adapters.dialects.{dialect.name.replace('.', '_')}"


LANGUAGES = tuple(language_of(dialect, package_of(dialect)) for dialect in DIALECTS.values())

CLIENT_ONLY = tuple(
    ClientLanguage(dialect=dialect, norm=import_module(f"{package_of(dialect)}.norm").norm)
    for name, dialect in CLIENT_DIALECTS.items()
    if name not in DIALECTS
)
CLIENT_LANGUAGES: tuple[ClientLanguage, ...] = (*LANGUAGES, *CLIENT_ONLY)
