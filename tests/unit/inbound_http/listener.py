"""A whole API listener over fake providers, keys and books, for tests of its routes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from relay.adapters.inbound.http.access import AccessLine
from relay.adapters.inbound.http.app import create_api
from relay.adapters.inbound.http.chat import DEFAULT_PATIENCE, Patience
from relay.adapters.inbound.http.connection import ConnectionLimits
from relay.adapters.inbound.http.gate import Gate
from relay.adapters.inbound.http.server import Stop, serve_until
from relay.adapters.inbound.http.traffic import Traffic
from relay.adapters.outbound.memory.responses import InMemoryResponses
from relay.adapters.outbound.providers.build import BackendsByName
from relay.application.attempts import AttemptLimits
from relay.application.authenticate import Authenticate, AuthMode
from relay.application.count_tokens import CountTokens, TokenCounter
from relay.application.list_models import ListModels
from relay.application.manage.models import ManagedProviders, ManageModels
from relay.application.ports import ChatBackend, EmbeddingBackend
from relay.application.relay_chat import RelayChat
from relay.application.relay_embeddings import RelayEmbeddings
from relay.application.relay_services import RelayServices, ServiceBackend
from relay.domain.capabilities import Capabilities, Capability
from relay.domain.catalog import Alias, Catalog, ModelEntry, ProviderEntry
from relay.domain.keys import PUBLIC_BYTES, SECRET_BYTES, KeyRecord, digest, mint, public_id
from relay.domain.ledger import AttemptEnded, AttemptStarted
from relay.domain.usage import Usage
from tests.support.fakes_chat import (
    CountingIds,
    NamedBackends,
    TapeBackend,
    TickingClock,
    text_tape,
)
from tests.support.fakes_embeddings import NamedEmbeddingBackends

CONTEXT = 32768
USAGE = Usage(input_tokens=12, output_tokens=2)
HELLO = text_tape("Hel", "lo", usage=USAGE)


def entry(model: str, *offered: Capability, **more: Any) -> ModelEntry:
    """A model that is known to offer these."""
    capabilities = Capabilities(offered=frozenset(offered), known=True)
    return ModelEntry(id=model, capabilities=capabilities, context_tokens=CONTEXT, **more)


MODELS = (
    entry("basic", "completion", "tools"),
    entry("plain", "completion"),
    entry("think", "completion", "tools", "thinking"),
    entry("see", "completion", "vision"),
    entry("emb", "embedding", embedding_length=4),
    entry("me/ns:v1", "completion"),
)
CATALOG = Catalog(
    providers=(ProviderEntry(name="up", kind="ollama", models=MODELS),),
    virtuals=(Alias(name="sonnet", target="up/think"),),
)


@dataclass
class Books:
    """A ledger in memory."""

    started: list[AttemptStarted] = field(default_factory=list)
    ended: list[AttemptEnded] = field(default_factory=list)

    def begin(self, started: AttemptStarted) -> None:
        self.started.append(started)

    def end(self, ended: AttemptEnded) -> None:
        self.ended.append(ended)


@dataclass
class ListedCatalog:
    """A catalog that never changes, and the providers that were to be asked anew."""

    catalog: Catalog
    refreshed: list[str] = field(default_factory=list)

    def current(self) -> Catalog:
        return self.catalog

    def refresh(self, provider: str) -> None:
        self.refreshed.append(provider)


@dataclass
class KeysInMemory:
    """The relay's keys by public id."""

    records: dict[str, KeyRecord] = field(default_factory=dict)

    def find(self, public_id: str) -> KeyRecord | None:
        return self.records.get(public_id)

    def any_exist(self) -> bool:
        return bool(self.records)

    def issue(self, name: str = "web", models: tuple[str, ...] = (), *, is_admin: bool = False) -> str:
        """A new key, in full."""
        number = len(self.records) + 1
        # The lowest bits of the public bytes are not in the id.
        key = mint((number << 8).to_bytes(PUBLIC_BYTES), number.to_bytes(SECRET_BYTES))
        identity = public_id(key) or ""
        self.records[identity] = KeyRecord(
            public_id=identity, name=name, digest=digest(key), models=models, is_admin=is_admin
        )
        return key


@dataclass
class Listener:
    """The application and everything a test looks at afterwards."""

    api: Gate
    backend: TapeBackend
    books: Books
    keys: KeysInMemory
    lines: list[AccessLine]
    events: list[Any]
    refreshed: list[str]


def listening(
    backend: TapeBackend | None = None,
    *,
    catalog: Catalog = CATALOG,
    others: Mapping[str, ChatBackend] | None = None,
    embedders: Mapping[str, EmbeddingBackend] | None = None,
    services: Mapping[str, ServiceBackend] | None = None,
    counters: Mapping[str, TokenCounter] | None = None,
    mode: AuthMode = "open",
    patience: Patience = DEFAULT_PATIENCE,
    max_in_flight: int = 256,
    hot_in_front: bool = True,
    problems: Callable[[], Sequence[str]] = lambda: (),
    limits: AttemptLimits = AttemptLimits(),
    managed: ManagedProviders | None = None,
) -> Listener:
    """A listener whose provider `up` is this backend."""
    backend = backend or TapeBackend(HELLO)
    books, keys, capture = Books(), KeysInMemory(), LogCapture()
    lines: list[AccessLine] = []
    source, clock, ids = ListedCatalog(catalog), TickingClock(), CountingIds()
    common: dict[str, Any] = {
        "catalog": source,
        "ledger": books,
        "clock": clock,
        "ids": ids,
        "limits": limits,
    }
    chats = NamedBackends({"up": backend, **(others or {})})
    passed = BackendsByName({}, service_by_name=services or {}, counter_by_name=counters or {})
    api = create_api(
        relay_chat=RelayChat(backends=chats, **common),
        relay_embeddings=RelayEmbeddings(backends=NamedEmbeddingBackends(embedders or {}), **common),
        relay_service=RelayServices(backends=passed, **common),
        authenticate=Authenticate(keys=keys, clock=clock, mode=mode, on_loopback=True),
        list_models=ListModels(catalog=source),
        manage_models=ManageModels(catalog=source, providers=managed or BackendsByName({})),
        responses=InMemoryResponses(clock=clock),
        count_tokens=CountTokens(catalog=source, counters=passed),
        catalog=source,
        clock=clock,
        ids=ids,
        ready=problems,
        access=lines.append,
        log=_logging_to(capture),
        patience=patience,
        traffic=Traffic(max_in_flight),
        hot_in_front=hot_in_front,
    )
    return Listener(api, backend, books, keys, lines, capture.entries, source.refreshed)


def _logging_to(capture: LogCapture) -> FilteringBoundLogger:
    wrapper = structlog.make_filtering_bound_logger(0)
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(), processors=[capture], wrapper_class=wrapper
    )
    return logger


@asynccontextmanager
async def served(
    api: Gate, drain_s: float = 5.0, stop: Stop | None = None, limits: ConnectionLimits | None = None
) -> AsyncIterator[str]:
    """The application behind the real server on a loopback socket; its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    stop, ready = stop or Stop(), asyncio.Event()
    serving = asyncio.create_task(serve_until(stop, api, [listener], ready.set, drain_s, limits=limits))
    await asyncio.wait({serving, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.ask()
        stop.ask()
        await serving


def openai_body(model: str = "up/basic", **more: Any) -> dict[str, Any]:
    """A chat request of an OpenAI client."""
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}


def ollama_body(model: str = "up/basic", **more: Any) -> dict[str, Any]:
    """A chat request of an Ollama client: it streams unless told not to."""
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
