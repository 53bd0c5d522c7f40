"""Reads providers' lists of models, forgivingly: an entry that cannot be read is left out, a field is unknown.

The field names are those of the vendors' own lists: OpenAI and Groq, OpenRouter, Mistral, Together, Fireworks,
DeepInfra, Cerebras (`?format=openrouter`), Anthropic, Gemini, Cohere, and Ollama's `/api/tags` and `/api/show`. A
list that does not speak of every capability leaves them unknown: only a known absence may refuse a call.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from urllib.parse import quote

import msgspec

from relay.domain.capabilities import CAPABILITIES, Capabilities, Capability
from relay.domain.catalog import ModelEntry
from relay.domain.errors import Malformed
from relay.domain.names import MAX_NAME_CHARACTERS
from relay.domain.usage import MAX_COUNT

MAX_TOKEN_CHARACTERS = 4096

_BOM = b"\xef\xbb\xbf"


class _Entry(msgspec.Struct):
    """An entry of any list in OpenAI's style; no field is trusted to have its type."""

    id: object = None
    type: object = None
    active: object = None
    created: object = None
    context_length: object = None
    context_window: object = None
    max_context_length: object = None
    max_completion_tokens: object = None
    max_output_length: object = None
    metadata: object = None
    top_provider: object = None
    architecture: object = None
    input_modalities: object = None
    supported_parameters: object = None
    supported_features: object = None
    capabilities: object = None
    supports_chat: object = None
    supports_tools: object = None
    supports_image_input: object = None
    max_input_tokens: object = None
    max_tokens: object = None
    created_at: object = None
    name: object = None
    input_tokens: object = msgspec.field(default=None, name="inputTokenLimit")
    output_tokens: object = msgspec.field(default=None, name="outputTokenLimit")
    methods: object = msgspec.field(default=None, name="supportedGenerationMethods")
    thinking: object = None
    endpoints: object = None
    features: object = None
    is_deprecated: object = None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    models: list[msgspec.Raw] | None = None
    links: object = None
    has_more: object = None
    last_id: object = None
    google_token: object = msgspec.field(default=None, name="nextPageToken")
    cohere_token: object = msgspec.field(default=None, name="next_page_token")


class _Tagged(msgspec.Struct):
    """An entry of `/api/tags`."""

    name: object = None
    model: object = None
    modified_at: object = None
    size: object = None
    digest: object = None
    details: object = None
    capabilities: object = None


class _Tags(msgspec.Struct):
    models: list[msgspec.Raw] | None = None


class _Card(msgspec.Struct):
    """The answer of `/api/show`, without its long texts."""

    capabilities: object = None
    model_info: dict[str, msgspec.Raw] | None = None


_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_page_decoder = msgspec.json.Decoder(_Page)
_entry_decoder = msgspec.json.Decoder(_Entry)
_tags_decoder = msgspec.json.Decoder(_Tags)
_tagged_decoder = msgspec.json.Decoder(_Tagged)
_card_decoder = msgspec.json.Decoder(_Card)


def read_page(body: bytes) -> tuple[list[msgspec.Raw], str]:
    """The entries of a page, and the address of the next page if there is one; from `&` on, what is added to this.

    A page is a bare array, or an object with `data` or `models`. Raises `Malformed`.
    """
    body = body.removeprefix(_BOM).lstrip()
    if body.startswith(b"["):
        return _decoded(_array_decoder, body), ""
    page = _decoded(_page_decoder, body)
    entries = page.models if page.data is None else page.data
    if entries is None:
        raise Malformed("the provider's list of models has no entries")
    tokens = {"after_id": _token(page.last_id) if page.has_more is True else ""}
    tokens |= {"pageToken": _token(page.google_token), "page_token": _token(page.cohere_token)}
    added = "".join(f"&{name}={quote(token, safe='')}" for name, token in tokens.items() if token)
    return entries, added or _text(_table(page.links).get("next"))


def read_models(entries: Sequence[msgspec.Raw], capable: "Reader") -> list[ModelEntry]:
    """The models among a page's entries; `capable` says of each what it can do, if it is of use at all."""
    models: list[ModelEntry] = []
    for raw in entries:
        entry = _tolerated(_entry_decoder, raw)
        if entry is None or entry.active is False or not (name := _id(entry)):
            continue
        if (capabilities := capable(entry)) is not None:
            models.append(_model(name, entry, capabilities))
    return models


def read_tags(body: bytes) -> list[ModelEntry]:
    """The models of `/api/tags`; their capabilities are known from Ollama 0.30 on. Raises `Malformed`."""
    entries = _decoded(_tags_decoder, body.removeprefix(_BOM)).models or []
    return [
        _ollama_model(name, entry)
        for raw in entries
        if (entry := _tolerated(_tagged_decoder, raw)) is not None
        and (name := _name(entry.name) or _name(entry.model))
    ]


def with_card(model: ModelEntry, body: bytes) -> ModelEntry:
    """A model completed by its `/api/show`. Raises `Malformed`."""
    card = _decoded(_card_decoder, body.removeprefix(_BOM))
    info = card.model_info or {}
    architecture = _text(_value(info.get("general.architecture")))
    return replace(
        model,
        capabilities=_ollama_capabilities(card.capabilities),
        context_tokens=model.context_tokens or _count(_value(info.get(f"{architecture}.context_length"))),
        embedding_length=model.embedding_length
        or _count(_value(info.get(f"{architecture}.embedding_length"))),
    )


type Reader = Callable[[_Entry], Capabilities | None]
"""What a model can do by its entry; `None` when it is neither for chat nor for embeddings."""

EMBEDDER = Capabilities(offered=frozenset({"embedding"}), known=True)
"""What makes embeddings and nothing else."""


def embedder(entry: _Entry) -> Capabilities | None:
    """A list of embedding models alone."""
    return EMBEDDER


def knowing_embedders(patterns: Collection[str], reader: Reader) -> Reader:
    """`reader`, but a model whose id fits one of the globs is an embedder, whatever its entry says."""

    def read(entry: _Entry) -> Capabilities | None:
        name = _id(entry).lower()
        if any(fnmatchcase(name, pattern.lower()) for pattern in patterns):
            return EMBEDDER
        return reader(entry)

    return read


def untold(entry: _Entry) -> Capabilities | None:
    """OpenAI's list, and those like it, say nothing."""
    return Capabilities()


def openrouter_style(entry: _Entry) -> Capabilities | None:
    """Modalities and parameters say it all."""
    architecture = _table(entry.architecture)
    outputs = _words(architecture.get("output_modalities"))
    if outputs and "text" not in outputs:
        return None
    inputs = _words(architecture.get("input_modalities"))
    parameters = _words(entry.supported_parameters)
    return _offered(
        known=bool(inputs) and isinstance(entry.supported_parameters, list),
        tools="tools" in parameters,
        vision="image" in inputs,
        thinking="reasoning" in parameters,
        audio="audio" in inputs,
    )


def mistral_style(entry: _Entry) -> Capabilities | None:
    """Flags; older lists have none for reasoning."""
    told = _table(entry.capabilities)
    if told.get("completion_chat") is False:
        return None
    return _offered(
        known={"function_calling", "vision", "reasoning"} <= told.keys(),
        tools=told.get("function_calling") is True,
        vision=told.get("vision") is True,
        thinking=told.get("reasoning") is True,
    )


def together_style(entry: _Entry) -> Capabilities | None:
    """A type, and nothing of what a chat model can do."""
    match entry.type:
        case None | "chat":
            return Capabilities()
        case "embedding":
            return EMBEDDER
        case _:
            return None


def fireworks_style(entry: _Entry) -> Capabilities | None:
    """Flags for all but reasoning."""
    if entry.supports_chat is False:
        return None
    return _offered(tools=entry.supports_tools is True, vision=entry.supports_image_input is True)


def cerebras_style(entry: _Entry) -> Capabilities | None:
    """Features and modalities; that they are complete is nowhere said."""
    features = _words(entry.supported_features)
    return _offered(
        tools="tools" in features,
        vision="image" in _words(entry.input_modalities),
        thinking="reasoning" in features,
    )


def anthropic_style(entry: _Entry) -> Capabilities | None:
    """Flags; every model of Claude's calls tools. A server without them says nothing."""
    told = _table(entry.capabilities)
    if not told:
        return Capabilities()
    return _offered(
        known={"image_input", "thinking"} <= told.keys(),
        tools=True,
        vision=_table(told.get("image_input")).get("supported") is True,
        thinking=_table(told.get("thinking")).get("supported") is True,
    )


def gemini_style(entry: _Entry) -> Capabilities | None:
    """Methods, and whether a model thinks. That Google's own chat models see and call tools is nowhere said."""
    methods = _words(entry.methods)
    if "generateContent" not in methods:
        return EMBEDDER if any("mbedContent" in method for method in methods) else None
    is_own = _id(entry).startswith("gemini-")
    return _offered(tools=is_own, vision=is_own, audio=is_own, thinking=entry.thinking is True)


def cohere_style(entry: _Entry) -> Capabilities | None:
    """Endpoints and features; that the latter are complete is nowhere said."""
    endpoints, features = _words(entry.endpoints), _words(entry.features)
    if entry.is_deprecated is True or "chat" not in endpoints:
        return EMBEDDER if "embed" in endpoints and entry.is_deprecated is not True else None
    return _offered(tools="tools" in features, vision="vision" in features, thinking="reasoning" in features)


def _model(name: str, entry: _Entry, capabilities: Capabilities) -> ModelEntry:
    metadata, top = _table(entry.metadata), _table(entry.top_provider)
    context = (
        entry.context_length,
        entry.context_window,
        entry.max_context_length,
        entry.input_tokens,
        entry.max_input_tokens,
        metadata.get("context_length"),
    )
    output = (
        entry.max_completion_tokens,
        entry.max_output_length,
        entry.output_tokens,
        entry.max_tokens,
        top.get("max_completion_tokens"),
    )
    return ModelEntry(
        id=name,
        capabilities=capabilities,
        context_tokens=next(filter(None, map(_count, context)), 0),
        max_output_tokens=next(filter(None, map(_count, output)), 0),
        created=_count(entry.created) or _unix_s(entry.created_at),
    )


def _ollama_model(name: str, entry: _Tagged) -> ModelEntry:
    details = _table(entry.details)
    return ModelEntry(
        id=name,
        capabilities=_ollama_capabilities(entry.capabilities),
        context_tokens=_count(details.get("context_length")),
        created=_unix_s(entry.modified_at),
        size_bytes=_count(entry.size),
        family=_text(details.get("family")),
        parameter_size=_text(details.get("parameter_size")),
        quantization=_text(details.get("quantization_level")),
        embedding_length=_count(details.get("embedding_length")),
        digest=_text(entry.digest),
    )


def _ollama_capabilities(told: object) -> Capabilities:
    if not isinstance(told, list):
        return Capabilities()
    words = _words(told)
    return Capabilities(offered=frozenset(word for word in CAPABILITIES if word in words), known=True)


def _offered(*, known: bool = False, **told: bool) -> Capabilities:
    words: set[Capability] = {"completion"}
    words.update(word for word in CAPABILITIES if told.get(word))
    return Capabilities(offered=frozenset(words), known=known)


def _decoded[T](decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    if (value := _tolerated(decoder, body)) is None:
        raise Malformed("the provider's list of models is not one")
    return value


def _tolerated[T](decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T | None:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _value(raw: msgspec.Raw | None) -> object:
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _words(value: object) -> Collection[str]:
    return {word for word in value if isinstance(word, str)} if isinstance(value, list) else ()


def _text(value: object) -> str:
    """A listed text, which is as untrusted as any other: short and printable, or empty."""
    is_fit = isinstance(value, str) and len(value) <= MAX_NAME_CHARACTERS and value.isprintable()
    return value if is_fit and isinstance(value, str) else ""


def _id(entry: _Entry) -> str:
    """What a model is asked for by: its id, or the name that Gemini (within its collection) and Cohere have."""
    return _name(entry.id) or _name(entry.name).removeprefix("models/")


def _token(value: object) -> str:
    """The mark of the next page."""
    is_fit = isinstance(value, str) and len(value) <= MAX_TOKEN_CHARACTERS and value.isprintable()
    return value if is_fit and isinstance(value, str) else ""


def _name(value: object) -> str:
    text = _text(value)
    return text if text == text.strip() else ""


def _count(value: object) -> int:
    match value:
        case bool():
            return 0
        case str() if value.isascii() and value.isdigit() and len(value) < 20:
            number = int(value)
        case int() | float() if 0 <= value <= MAX_COUNT:
            number = int(value)
        case _:
            return 0
    return number if number <= MAX_COUNT else 0


def _unix_s(value: object) -> int:
    try:
        return max(0, int(datetime.fromisoformat(value).timestamp())) if isinstance(value, str) else 0
    except (ValueError, OverflowError, OSError):
        return 0
