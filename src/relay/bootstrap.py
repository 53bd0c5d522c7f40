"""The composition root: the only module that knows every adapter. It builds the server and what it serves."""

import errno
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import anyio

from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.inbound.cli.port_diagnosis import explain_busy_port
from relay.adapters.inbound.cli.programs import BAD_CONFIGURATION, ProviderLine, Refused, ServerStarted
from relay.adapters.inbound.control.catalog import catalog_handlers
from relay.adapters.inbound.control.keys import key_handlers
from relay.adapters.inbound.control.server import ControlServer, Handler
from relay.adapters.inbound.control.wire import socket_path
from relay.adapters.inbound.http.access import to_logger
from relay.adapters.inbound.http.app import create_api
from relay.adapters.inbound.http.gate import Gate
from relay.adapters.inbound.http.server import serve as serve_api
from relay.adapters.inbound.http.traffic import Traffic
from relay.adapters.outbound.demo.local_model import CARD, DEFAULTS, MODEL_ID, SYSTEM_PROMPT
from relay.adapters.outbound.demo.scripted import ScriptedProvider, scripted_models
from relay.adapters.outbound.http.client import HttpxUpstream
from relay.adapters.outbound.http.interface import UpstreamHttp
from relay.adapters.outbound.providers.build import BackendsByName, build_backends, build_listers, key_of
from relay.adapters.outbound.providers.spec import (
    ProviderSpec,
    SpecError,
    configured,
    found_in_environment,
    kinds,
)
from relay.adapters.outbound.spool.reader import SpoolReader
from relay.adapters.outbound.spool.spool import Spool
from relay.adapters.outbound.storage.engine import Database
from relay.adapters.outbound.storage.key_ring import KeyRing
from relay.adapters.outbound.storage.lock import DatabaseLock, beside
from relay.adapters.outbound.storage.schema import bring_up
from relay.adapters.outbound.storage.unit_of_work import open_work
from relay.adapters.outbound.storage.usage_store import SqlUsageStore
from relay.adapters.outbound.system import SystemClock, SystemEntropy, UuidV7Ids
from relay.adapters.outbound.telemetry.logging import Logger, configure_logging
from relay.application.authenticate import Authenticate
from relay.application.list_models import ListModels
from relay.application.manage.keys import CreateKey, RevokeKey
from relay.application.refresh_catalog import ListedProvider, RefreshCatalog
from relay.application.relay_chat import RelayChat
from relay.application.relay_embeddings import RelayEmbeddings
from relay.application.settle_usage import SettleUsage
from relay.application.supervision import Supervisor
from relay.domain.catalog import Catalog, ProviderEntry
from relay.settings import Settings

CATCH_UP_S = 5.0
"""How long a stopping server goes on settling its books; what is left is settled at the next start."""

TELL_S = 1.0
"""How often the state of the books is looked at, to be logged when it changes."""

LISTING_S = 5.0
"""How long a command without a server waits for providers to say what they offer."""

type Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The ledger on its way to the database, and the keys."""

    database: Database
    spool: Spool
    settle: SettleUsage
    keys: KeyRing

    @property
    def problem(self) -> str:
        """What keeps the books behind; empty when nothing does."""
        return self.spool.problem or self.settle.problem or self.keys.problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """What can be called."""

    lines: tuple[ProviderLine, ...]
    backends: BackendsByName
    catalog: RefreshCatalog


async def serve(
    settings: Settings,
    environment: Environment,
    *,
    insecure: bool,
    started: Callable[[ServerStarted], None],
    demo_model_url: str = "",
) -> None:
    """Serve until a signal stops the process.

    With `demo_model_url` the demo's providers are served in place of the configured ones. Raises `Refused`,
    `ConfigurationError`, `DatabaseBusy` and `SchemaMismatch` before anything is served.
    """
    logger = configure_logging()
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listening_socket(settings))
        books = await stack.enter_async_context(_open_books(settings.database.path))
        _refuse_open_door(settings, books.keys, insecure=insecure)
        http = await stack.enter_async_context(aclosing(HttpxUpstream()))
        providers = (
            _demo_providers(demo_model_url, http)
            if demo_model_url
            else _configured_providers(settings, environment, http)
        )
        authenticate = Authenticate(
            keys=books.keys,
            clock=SystemClock(),
            mode="open" if insecure else settings.auth.mode,
            on_loopback=_is_loopback(settings.server.host),
        )
        traffic = Traffic()
        api = _build_api(books, providers, authenticate, traffic, logger)
        supervisor = Supervisor(partial(_report_trouble, logger))
        control = ControlServer(socket_path(settings.database.path), _control_handlers(books, providers))
        await stack.enter_async_context(control.listening())
        async with anyio.create_task_group() as background:
            background.start_soon(supervisor.run, "ledger", books.settle.run)
            background.start_soon(supervisor.run, "keys", books.keys.run)
            background.start_soon(supervisor.run, "catalog", providers.catalog.run)
            background.start_soon(supervisor.run, "trouble", partial(_tell_trouble, books, logger))
            on_ready = partial(_announce, started, settings, listener, providers, authenticate)
            await serve_api(api, [listener], on_ready)
            background.cancel_scope.cancel()


async def listed_catalog(settings: Settings, environment: Environment) -> Catalog:
    """What can be called, asked of the providers now, for a command without a server. Raises as `serve`."""
    async with aclosing(HttpxUpstream()) as http:
        refresh = _configured_providers(settings, environment, http).catalog
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refresh.run)
            with anyio.move_on_after(LISTING_S):
                while any(_is_awaited(entry) for entry in refresh.current().providers):  # noqa: ASYNC110 - polled for some seconds, by a command
                    await anyio.sleep(0.02)
            tasks.cancel_scope.cancel()
        return refresh.current()


def _is_awaited(entry: ProviderEntry) -> bool:
    return not (entry.models or entry.problem or entry.discovered_at)


def _listening_socket(settings: Settings) -> socket.socket:
    """A socket that listens where it shall. Raises `Refused` with a diagnosis when it cannot."""
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Refused(explain_busy_port(host, port)) from None
        raise Refused(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    return listener


@asynccontextmanager
async def _open_books(path: Path) -> AsyncIterator[Books]:
    """The books, for this process alone. Raises `DatabaseBusy` and `SchemaMismatch`.

    What an earlier run left in the spool is settled as soon as `settle` runs.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with DatabaseLock(path):
        bring_up(path)
        async with aclosing(Database(path)) as database:
            spool = Spool(beside(path, ".spool"))
            reader = SpoolReader(spool)
            settle = SettleUsage(reader, SqlUsageStore(database))
            keys = KeyRing(database.reader)
            await keys.refresh()
            try:
                yield Books(database=database, spool=spool, settle=settle, keys=keys)
            finally:
                with anyio.move_on_after(CATCH_UP_S, shield=True):
                    await settle.catch_up()
                reader.close()


def _refuse_open_door(settings: Settings, keys: KeyRing, *, insecure: bool) -> None:
    """Beyond this machine nobody is served without a key, unless it was said so."""
    host = settings.server.host
    is_guarded = settings.auth.mode == "keys" or (settings.auth.mode == "auto" and keys.any_exist())
    if not (_is_loopback(host) or is_guarded or insecure):
        raise Refused(
            f"refusing to listen on {host} without API keys. Create one: relay keys create NAME, "
            "or say --insecure-no-auth."
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _specs(settings: Settings, environment: Environment) -> tuple[ProviderSpec, ...]:
    """The configured providers, then those the environment brings. Raises `ConfigurationError`."""
    own = [(settings.server.host, settings.server.port)]
    specs = []
    for name, section in settings.providers.items():
        try:
            specs.append(configured(name, section, environment, listening=own))
        except SpecError as error:
            raise settings.refusal(("providers", name, *error.key.split(".")), str(error)) from None
    try:
        found = found_in_environment(environment, listening=own)
    except SpecError as error:
        raise Refused(f"environment: {error}", BAD_CONFIGURATION) from None
    named = {spec.name.lower() for spec in specs}
    return (*specs, *(spec for spec in found if spec.name not in named))


def _configured_providers(settings: Settings, environment: Environment, http: UpstreamHttp) -> Providers:
    specs = _specs(settings, environment)
    clock = SystemClock()
    backends = build_backends(specs, http=http, dialects=DIALECTS, clock=clock, environ=environment)
    listed = build_listers(specs, http=http, dialects=DIALECTS, clock=clock, environ=environment)
    default_model = settings.server.default_model
    return Providers(
        lines=(*(_line(spec, environment) for spec in specs), *_waiting_lines(specs)),
        backends=backends,
        catalog=RefreshCatalog(listed, settings.virtual_models(), default_model, clock=clock),
    )


def _demo_providers(model_url: str, http: UpstreamHttp) -> Providers:
    """The local model and the script, and nothing else: no key and no network is needed."""
    quirks = {"system_prompt": SYSTEM_PROMPT, "set_default": DEFAULTS}
    section = {"kind": "openai-compatible", "base_url": model_url, "models": [MODEL_ID], "quirks": quirks}
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


def _line(spec: ProviderSpec, environment: Environment) -> ProviderLine:
    key = key_of(spec, environment)
    if key.problem:
        return ProviderLine(name=spec.name, state="no key", detail=key.problem)
    detail = spec.base_url if spec.kind in ("ollama", "openai-compatible") else spec.title
    return ProviderLine(name=spec.name, state="configured", detail=f"{detail}  {key.advice}".rstrip())


def _waiting_lines(specs: Sequence[ProviderSpec]) -> Iterator[ProviderLine]:
    """With nothing configured: the kinds that a key in the environment would bring."""
    if not specs:
        for kind in kinds():
            if kind not in ("openai-compatible", "ollama"):
                yield ProviderLine(name=kind, state="no key")


def _build_api(
    books: Books, providers: Providers, authenticate: Authenticate, traffic: Traffic, logger: Logger
) -> Gate:
    clock, ids = SystemClock(), UuidV7Ids()
    return create_api(
        relay_chat=RelayChat(
            catalog=providers.catalog, backends=providers.backends, ledger=books.spool, clock=clock, ids=ids
        ),
        relay_embeddings=RelayEmbeddings(
            catalog=providers.catalog, backends=providers.backends, ledger=books.spool, clock=clock, ids=ids
        ),
        authenticate=authenticate,
        list_models=ListModels(catalog=providers.catalog),
        catalog=providers.catalog,
        clock=clock,
        ids=ids,
        ready=lambda: [books.spool.problem] if books.spool.problem else [],
        degraded=lambda: [problem for problem in (books.settle.problem, books.keys.problem) if problem],
        access=to_logger(logger),
        log=logger,
        traffic=traffic,
    )


def _control_handlers(books: Books, providers: Providers) -> Mapping[str, Handler]:
    work = partial(open_work, books.database)
    clock = SystemClock()
    create = CreateKey(open_work=work, entropy=SystemEntropy(), clock=clock)
    keys = key_handlers(create, RevokeKey(open_work=work, clock=clock), books.keys.refresh)
    return {**keys, **catalog_handlers(providers.catalog)}


async def _tell_trouble(books: Books, logger: Logger) -> None:
    """Log what keeps the books behind when it begins, changes and ends."""
    told = ""
    while True:
        problem = books.problem
        if problem != told:
            if problem:
                logger.error("books_behind", problem=problem)
            else:
                logger.info("books_level")
            told = problem
        await anyio.sleep(TELL_S)


def _report_trouble(logger: Logger, job: str, error: BaseException) -> None:
    logger.error("background_job_failed", job=job, exception=type(error).__name__)


def _announce(
    started: Callable[[ServerStarted], None],
    settings: Settings,
    listener: socket.socket,
    providers: Providers,
    authenticate: Authenticate,
) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    started(
        ServerStarted(
            url=f"http://{shown}:{port}",
            database=settings.database.path,
            config=settings.source,
            providers=providers.lines,
            needs_keys=not authenticate.is_open,
        )
    )
