"""The providers in force: what is called, what is listed, and how both are replaced while serving."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.inbound.cli.programs import ProviderLine
from relay.adapters.outbound.demo.local_model import CARD, DEFAULTS, MODEL_ID, SYSTEM_PROMPT
from relay.adapters.outbound.demo.scripted import ScriptedProvider, scripted_models
from relay.adapters.outbound.http.interface import UpstreamHttp
from relay.adapters.outbound.providers.build import BackendsByName, build_backends, build_listers, key_of
from relay.adapters.outbound.providers.spec import ProviderSpec, configured, kinds
from relay.adapters.outbound.secrets import Key
from relay.adapters.outbound.system import SystemClock
from relay.application.count_tokens import TokenCounter, TokenCounters
from relay.application.manage.models import ManagedProviders, ModelManagement
from relay.application.ports import Backends, ChatBackend, EmbeddingBackend, EmbeddingBackends
from relay.application.refresh_catalog import ListedProvider, RefreshCatalog
from relay.application.relay_services import ServiceBackend, ServiceBackends
from relay.configuration import Configuration
from relay.domain.catalog import VirtualModel
from relay.domain.names import normalise
from relay.domain.overrides import Override

type Environment = Mapping[str, str]


class LiveBackends(Backends, EmbeddingBackends, ServiceBackends, TokenCounters, ManagedProviders, Protocol):
    """The live providers by name, for every kind of call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """What can be called. `lines` tell of it at the start."""

    lines: tuple[ProviderLine, ...]
    backends: LiveBackends
    catalog: RefreshCatalog


@dataclass(frozen=True, slots=True, eq=False)
class _Live:
    """A provider as it was built: what it was built from, and what calls it. Equal to itself alone."""

    spec: ProviderSpec
    key: Key
    backends: BackendsByName


class ConfiguredProviders:
    """The configured providers; implements `LiveBackends`.

    A replacement takes effect for the next call, whole: a call in flight keeps the backend it has, and a provider
    whose section and key are as they were keeps its backend, with the count of its calls, and its list of models.
    """

    def __init__(self, configuration: Configuration, environment: Environment, http: UpstreamHttp) -> None:
        self._environment = environment
        self._http = http
        self._live: dict[str, _Live] = {}
        self._names: tuple[tuple[VirtualModel, ...], str | None, tuple[Override, ...]] = ((), None, ())
        self.catalog = RefreshCatalog((), clock=SystemClock())
        self.replace(configuration)

    def find(self, provider: str) -> ChatBackend | None:
        """As `Backends.find`."""
        live = self._live.get(normalise(provider))
        return live.backends.find(provider) if live else None

    def find_embedding(self, provider: str) -> EmbeddingBackend | None:
        """As `EmbeddingBackends.find_embedding`."""
        live = self._live.get(normalise(provider))
        return live.backends.find_embedding(provider) if live else None

    def find_service(self, provider: str) -> ServiceBackend | None:
        """As `ServiceBackends.find_service`."""
        live = self._live.get(normalise(provider))
        return live.backends.find_service(provider) if live else None

    def find_counter(self, provider: str) -> TokenCounter | None:
        """As `TokenCounters.find_counter`."""
        live = self._live.get(normalise(provider))
        return live.backends.find_counter(provider) if live else None

    def managed(self) -> Mapping[str, ModelManagement]:
        """As `ManagedProviders.managed`."""
        return {
            name: found for live in self._live.values() for name, found in live.backends.managed().items()
        }

    def replace(self, configuration: Configuration) -> bool:
        """Put the providers and models of a configuration in force, without waiting; True when any has changed."""
        keys = [key_of(spec, self._environment) for spec in configuration.providers]
        live = {
            normalise(spec.name): self._taken_over(spec, key)
            for spec, key in zip(configuration.providers, keys, strict=True)
        }
        listed = tuple(self._listed(configuration.providers, keys))
        settings = configuration.settings
        names = (settings.virtual_models(), settings.server.default_model, configuration.overrides)
        if list(live.items()) == list(self._live.items()) and names == self._names:
            return False
        self._live, self._names = live, names
        self.catalog.replace_config(listed, *names)
        return True

    def in_force(self) -> Providers:
        """The providers for those who call and list: what they hold follows every replacement."""
        lines = tuple(_line(live.spec, live.key) for live in self._live.values())
        return Providers(lines=lines or tuple(_waiting_lines()), backends=self, catalog=self.catalog)

    def _taken_over(self, spec: ProviderSpec, key: Key) -> _Live:
        live = self._live.get(normalise(spec.name))
        if live is not None and (live.spec, live.key) == (spec, key):
            return live
        built = build_backends(
            [spec], http=self._http, dialects=DIALECTS, clock=SystemClock(), environ=self._environment
        )
        return _Live(spec, key, built)

    def _listed(self, specs: Sequence[ProviderSpec], keys: Sequence[Key]) -> Iterator[ListedProvider]:
        """A provider with another key is asked anew, and offers until then what it did."""
        listers = build_listers(
            specs, http=self._http, dialects=DIALECTS, clock=SystemClock(), environ=self._environment
        )
        for spec, key, listed in zip(specs, keys, listers, strict=True):
            live = self._live.get(normalise(spec.name))
            is_same = live is not None and live.spec == spec and listed.lister is not None
            known = self.catalog.current().provider(spec.name) if is_same else None
            yield replace(listed, models=known.models if known else listed.models, source=(spec, key))


def demo_providers(model_url: str, http: UpstreamHttp) -> Providers:
    """The local model and the script, and nothing else: no key and no network is needed."""
    quirks = {"system_prompt": SYSTEM_PROMPT, "set_default": DEFAULTS}
    # The model is served without its embeddings.
    section = {
        "kind": "openai-compatible",
        "base_url": model_url,
        "models": [MODEL_ID],
        "embeddings": [],
        "quirks": quirks,
    }
    clock = SystemClock()
    spec = configured("local", section, {})
    local = build_backends([spec], http=http, dialects=DIALECTS, clock=clock, environ={})
    listed = (
        ListedProvider(name="local", kind="openai-compatible", models=(CARD,)),
        ListedProvider(name="scripted", kind="scripted", models=scripted_models()),
    )
    return Providers(
        lines=(
            ProviderLine(
                name="local", state="configured", detail="SmolLM2, 135 million parameters, in this process"
            ),
            ProviderLine(name="scripted", state="configured", detail="answers from a script"),
        ),
        backends=BackendsByName({**local.by_name, "scripted": ScriptedProvider()}),
        catalog=RefreshCatalog(listed, clock=clock),
    )


def _line(spec: ProviderSpec, key: Key) -> ProviderLine:
    if key.problem:
        return ProviderLine(name=spec.name, state="no key", detail=key.problem)
    detail = spec.base_url if spec.kind in ("ollama", "openai-compatible") else spec.title
    return ProviderLine(name=spec.name, state="configured", detail=f"{detail}  {key.advice}".rstrip())


def _waiting_lines() -> Iterator[ProviderLine]:
    """With nothing configured: the kinds that a key in the environment would bring."""
    for kind in kinds():
        if kind not in ("openai-compatible", "ollama"):
            yield ProviderLine(name=kind, state="no key")
