"""Every dialect of the registry with its declared poverty: a new dialect is put to the laws by being registered."""

import json
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from urllib.parse import unquote

from hypothesis import strategies as st

from relay.adapters.dialects.base import ClientDialect, Dialect, WireRequest
from relay.adapters.dialects.registry import CLIENT_DIALECTS, DIALECTS
from relay.domain.chat import ChatRequest, DialectName
from tests.support.laws.language import ClientLanguage, Language
from tests.support.strategies.prompts import prompts
from tests.support.strategies.requests import requests

REQUESTS: Mapping[DialectName, st.SearchStrategy[ChatRequest]] = {"ollama.generate": prompts}
"""What a dialect is tried on, where that is no conversation."""


def from_path(wire: WireRequest) -> bytes:
    """A body that has the model and the stream flag of its path again, as Gemini's paths have them."""
    matched = re.fullmatch(r"/models/([^/:?]+):(generateContent|streamGenerateContent\?alt=sse)", wire.path)
    assert matched, wire.path
    said = json.dumps({"model": unquote(matched[1]), "stream": matched[2].startswith("stream")}).encode()
    return said if wire.body == b"{}" else said[:-1] + b"," + wire.body[1:]


ASKED: Mapping[DialectName, tuple[Callable[[WireRequest], bytes], frozenset[str]]] = {
    "gemini.generate": (from_path, frozenset({"model", "stream"}))
}
"""How a client's body is made of a request for a provider, where that is not its body."""


def language_of(dialect: Dialect, package: str) -> Language:
    """A dialect with the norms that its package declares."""
    norm = import_module(f"{package}.norm")
    asked, in_path = ASKED.get(dialect.name, (lambda wire: wire.body, frozenset()))
    return Language(
        dialect=dialect,
        norm=norm.norm,
        norm_request=norm.norm_request,
        requests=REQUESTS.get(dialect.name, requests),
        asked=asked,
        in_path=in_path,
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
