"""From specs to live objects: backends for calls, listers for the catalog."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache, partial

from relay.adapters.dialects import anthropic_messages, openai_responses
from relay.adapters.dialects.base import Dialect
from relay.adapters.dialects.embeddings import EMBEDDING_DIALECTS
from relay.adapters.dialects.openai_chat import glance_exact
from relay.adapters.outbound.http.backend import HttpBackend, Passing, as_it_is
from relay.adapters.outbound.http.bulkhead import Bulkhead
from relay.adapters.outbound.http.embedding_backend import HttpEmbeddingBackend
from relay.adapters.outbound.http.endpoint import Endpoint
from relay.adapters.outbound.http.interface import UpstreamHttp
from relay.adapters.outbound.http.model_management import HttpModelManagement
from relay.adapters.outbound.providers.choosing_backend import ChoosingBackend
from relay.adapters.outbound.providers.corrected_backend import CorrectedBackend
from relay.adapters.outbound.providers.discovery import HttpModelLister
from relay.adapters.outbound.providers.fitting_backend import FittingBackend
from relay.adapters.outbound.providers.quirks import Quirks, apply, edit_of, overlaid, with_system_prompt
from relay.adapters.outbound.providers.refused_fields import RefusedFields
from relay.adapters.outbound.providers.service_backend import HttpServiceBackend
from relay.adapters.outbound.providers.spec import Auth, ProviderSpec, by_responses
from relay.adapters.outbound.providers.token_counter import HttpTokenCounter
from relay.adapters.outbound.secrets import Key, find_key
from relay.application.count_tokens import TokenCounter
from relay.application.manage.models import ModelManagement
from relay.application.ports import ChatBackend, Clock, EmbeddingBackend
from relay.application.refresh_catalog import ListedProvider
from relay.application.relay_services import ServiceBackend
from relay.domain.catalog import ModelEntry
from relay.domain.chat import DialectName
from relay.domain.names import normalise

_PLAIN_TOOL_NAMES: frozenset[DialectName] = frozenset(
    {"openai.chat", "openai.responses", "anthropic.messages", "gemini.generate", "cohere.v2"}
)
"""The dialects in which a tool's name is letters, digits, `_` and `-`, and 64 of them at most in every one."""

MAX_KNOWN_MODELS = 1024
"""For so many models of a provider it is remembered which of its profiles are theirs."""


@dataclass(frozen=True, slots=True)
class BackendsByName:
    """The live providers, found by their name in any spelling; implements `LiveBackends`.

    `managed_by_name` has the names as they are configured.
    """

    by_name: Mapping[str, ChatBackend]
    embedding_by_name: Mapping[str, EmbeddingBackend] = field(default_factory=dict)
    managed_by_name: Mapping[str, ModelManagement] = field(default_factory=dict)
    service_by_name: Mapping[str, ServiceBackend] = field(default_factory=dict)
    counter_by_name: Mapping[str, TokenCounter] = field(default_factory=dict)

    def find(self, provider: str) -> ChatBackend | None:
        """As `Backends.find`."""
        return self.by_name.get(normalise(provider))

    def find_embedding(self, provider: str) -> EmbeddingBackend | None:
        """As `EmbeddingBackends.find_embedding`."""
        return self.embedding_by_name.get(normalise(provider))

    def find_service(self, provider: str) -> ServiceBackend | None:
        """As `ServiceBackends.find_service`."""
        return self.service_by_name.get(normalise(provider))

    def find_counter(self, provider: str) -> TokenCounter | None:
        """As `TokenCounters.find_counter`."""
        return self.counter_by_name.get(normalise(provider))

    def managed(self) -> Mapping[str, ModelManagement]:
        """As `ManagedProviders.managed`."""
        return self.managed_by_name


def build_backends(
    specs: Iterable[ProviderSpec],
    *,
    http: UpstreamHttp,
    dialects: Mapping[DialectName, Dialect],
    clock: Clock,
    environ: Mapping[str, str],
) -> BackendsByName:
    """The backends of each provider. One without its key has them too: it says so when it is called."""
    chat: dict[str, ChatBackend] = {}
    embedding: dict[str, EmbeddingBackend] = {}
    managed: dict[str, ModelManagement] = {}
    services: dict[str, ServiceBackend] = {}
    counters: dict[str, TokenCounter] = {}
    for spec in specs:
        endpoint = _endpoint(spec, key_of(spec, environ), http, clock)
        chat[normalise(spec.name)] = _chosen_backend(spec, endpoint, dialects)
        if spec.embeddings:
            embedding[normalise(spec.name)] = _embedding_backend(spec, endpoint)
        if spec.services:
            services[normalise(spec.name)] = HttpServiceBackend(
                endpoint=endpoint, services=spec.services, read_fault=dialects[spec.dialect].decode_error
            )
        if spec.dialect == anthropic_messages.NAME:
            counters[normalise(spec.name)] = HttpTokenCounter(endpoint=endpoint)
        if spec.manage:
            managed[spec.name] = HttpModelManagement(endpoint=endpoint)
    return BackendsByName(chat, embedding, managed, services, counters)


def build_listers(
    specs: Iterable[ProviderSpec],
    *,
    http: UpstreamHttp,
    dialects: Mapping[DialectName, Dialect],
    clock: Clock,
    environ: Mapping[str, str],
) -> tuple[ListedProvider, ...]:
    """The providers as the catalog needs them, in the order of the specs."""
    return tuple(_listed(spec, key_of(spec, environ), http, dialects[spec.dialect], clock) for spec in specs)


def key_of(spec: ProviderSpec, environ: Mapping[str, str]) -> Key:
    """The provider's key; a provider that needs none may have neither secret nor problem."""
    if spec.auth.scheme == "none":
        return Key()
    key = find_key(spec.api_key, spec.key_names, environ)
    return key if spec.auth.required or spec.api_key is not None else Key(secret=key.secret)


def _endpoint(spec: ProviderSpec, key: Key, http: UpstreamHttp, clock: Clock) -> Endpoint:
    return Endpoint(
        base_url=spec.base_url,
        http=http,
        clock=clock,
        bulkhead=Bulkhead(spec.max_in_flight),
        auth=_headers(spec, key),
        problem=key.problem,
        timeouts=spec.timeouts,
        client=spec.http_client,
    )


def _embedding_backend(spec: ProviderSpec, endpoint: Endpoint) -> HttpEmbeddingBackend:
    return HttpEmbeddingBackend(
        endpoint=endpoint,
        dialects=tuple(EMBEDDING_DIALECTS[name] for name in spec.embeddings),
        passes_through=spec.pass_through,
        edit=lambda body, model: apply(body, (spec.embedding_quirks,)),
    )


def _chosen_backend(
    spec: ProviderSpec, endpoint: Endpoint, dialects: Mapping[DialectName, Dialect]
) -> ChatBackend:
    """The provider's calls, by Responses where it has them and its chat does not do."""
    chat = _backend(spec, endpoint, dialects)
    if spec.responses is None:
        return chat
    return ChoosingBackend(
        chat=chat, responses=_backend(by_responses(spec), endpoint, dialects), models=spec.responses
    )


def _backend(spec: ProviderSpec, endpoint: Endpoint, dialects: Mapping[DialectName, Dialect]) -> ChatBackend:
    """The provider's calls, corrected, and behind a fitting of conversations."""
    backend = _corrected_backend(spec, endpoint, dialects)
    return FittingBackend(
        backend=backend,
        translating=replace(backend, passes_for=frozenset()),
        passes_for=backend.passes_for,
        quirks_of=lru_cache(MAX_KNOWN_MODELS)(lambda model: overlaid(_quirks_of(spec, model))),
        refused=RefusedFields(endpoint.clock),
    )


def _corrected_backend(
    spec: ProviderSpec, endpoint: Endpoint, dialects: Mapping[DialectName, Dialect]
) -> CorrectedBackend:
    prompt = spec.quirks.system_prompt
    quirks_of = lru_cache(MAX_KNOWN_MODELS)(partial(_quirks_of, spec))
    backend = HttpBackend(
        endpoint=endpoint,
        dialect=openai_responses.at(spec.path) if spec.path else dialects[spec.dialect],
        completions=dialects[spec.completions] if spec.completions else None,
        passing=_passing(spec),
        glance_exact=glance_exact,
        prepare=partial(with_system_prompt, prompt=prompt) if prompt else as_it_is,
        edit_of=lru_cache(MAX_KNOWN_MODELS)(lambda model: edit_of(quirks_of(model))),
        on_disconnect=spec.on_disconnect,
    )
    spoken: set[DialectName] = {spec.dialect, *((spec.completions,) if spec.completions else ())}
    return CorrectedBackend(
        backend=backend,
        translating=replace(backend, passing="never"),
        passes_for=frozenset(() if backend.passing == "never" else spoken),
        sets_json_right=backend.passing == "exact",
        thinks_in_text=lru_cache(MAX_KNOWN_MODELS)(
            lambda model: any(quirks.thinking_tags for quirks in quirks_of(model))
        ),
        plain_tool_names=spec.dialect in _PLAIN_TOOL_NAMES,
    )


def _passing(spec: ProviderSpec) -> Passing:
    if spec.quirks.system_prompt:
        return "never"
    if spec.pass_through:
        return "always"
    return "exact" if spec.dialect == "openai.chat" else "never"


def _wire(spec: ProviderSpec) -> str:
    """How it is called, for whoever wants to know why a body looks as it does."""
    match _passing(spec):
        case "always":
            return f"{spec.dialect}, bytes of its clients pass"
        case "exact":
            return f"{spec.dialect}, bytes of its clients pass, and answers that need nothing set right"
        case "never":
            return f"{spec.dialect}, translated for every client"


def _listed(
    spec: ProviderSpec, key: Key, http: UpstreamHttp, dialect: Dialect, clock: Clock
) -> ListedProvider:
    lister = HttpModelLister(spec=spec, http=http, dialect=dialect, clock=clock, auth=_headers(spec, key))
    return ListedProvider(
        name=spec.name,
        kind=spec.kind,
        models=tuple(ModelEntry(id=model) for model in spec.models),
        lister=None if spec.models or key.problem else lister,
        problem=key.problem,
        wire=_wire(spec),
        source=spec,
    )


def _quirks_of(spec: ProviderSpec, model: str) -> tuple[Quirks, ...]:
    name = model.lower()
    every = (*spec.profiles.items(), *spec.overrides)
    profiles = (quirks for pattern, quirks in every if fnmatchcase(name, pattern.lower()))
    return (spec.quirks, *profiles)


def _headers(spec: ProviderSpec, key: Key) -> dict[str, str]:
    """What every request to the provider carries: its own headers, and the one with the key."""
    own = {name.lower(): value for name, value in spec.headers.items()}
    return {**own, **_auth_headers(spec.auth, key)}


def _auth_headers(auth: Auth, key: Key) -> dict[str, str]:
    if key.secret is None:
        return {}
    match auth.scheme:
        case "bearer":
            return {"authorization": f"Bearer {key.secret.reveal()}"}
        case "header":
            return {auth.header.lower(): key.secret.reveal()}
        case "none":
            return {}
