"""The composition root: the only module that knows every adapter. It builds the server and what it serves."""

import errno
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio

from relay.adapters.inbound.cli.port_diagnosis import explain_busy_port
from relay.adapters.inbound.cli.programs import ServerStarted
from relay.adapters.inbound.cli.refusal import Refused
from relay.adapters.inbound.control.catalog import catalog_handlers
from relay.adapters.inbound.control.config import config_handlers
from relay.adapters.inbound.control.keys import key_handlers
from relay.adapters.inbound.control.server import ControlServer, Handler
from relay.adapters.inbound.control.wire import socket_path
from relay.adapters.inbound.http.access import AccessLog, AccessStream, to_logger
from relay.adapters.inbound.http.app import create_api
from relay.adapters.inbound.http.gate import Gate
from relay.adapters.inbound.http.hosts import HostNames
from relay.adapters.inbound.http.origins import BrowserGuard, Origins
from relay.adapters.inbound.http.server import serve as serve_api
from relay.adapters.inbound.http.traffic import Traffic
from relay.adapters.outbound.http.clients import HttpClients
from relay.adapters.outbound.memory.responses import MAX_KEPT, InMemoryResponses
from relay.adapters.outbound.memory.thoughts import InMemoryThoughts
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
from relay.application.count_tokens import CountTokens
from relay.application.door import Door
from relay.application.list_models import ListModels
from relay.application.manage.keys import CreateKey, RevokeKey
from relay.application.manage.models import ManageModels
from relay.application.relay_chat import RelayChat
from relay.application.relay_embeddings import RelayEmbeddings
from relay.application.relay_services import RelayServices
from relay.application.settle_usage import SettleUsage
from relay.application.supervision import Supervisor
from relay.application.thinking_memory import ThinkingMemory
from relay.configuration import Configuration, examine
from relay.domain.catalog import Catalog, ProviderEntry
from relay.live_providers import ConfiguredProviders, Environment, Providers, demo_providers
from relay.reloading import Reload, signature
from relay.settings import Server, Settings

CATCH_UP_S = 5.0
"""How long a stopping server goes on settling its books; what is left is settled at the next start."""

TELL_S = 1.0
"""How often the state of the books is looked at, to be logged when it changes."""

LISTING_S = 5.0
"""How long a command without a server waits for providers to say what they offer."""


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
class Logs:
    """What happens, and each request."""

    events: Logger
    requests: AccessLog


async def serve(
    settings: Settings,
    environment: Environment,
    *,
    insecure: bool,
    watch: bool = False,
    started: Callable[[ServerStarted], None],
    demo_model_url: str = "",
) -> None:
    """Serve until a signal stops the process; with `watch`, following the file the settings are from.

    With `demo_model_url` the demo's providers are served in place of the configured ones. Raises `Refused`,
    `ConfigurationError`, `DatabaseBusy` and `SchemaMismatch` before anything is served.
    """
    logger = configure_logging()
    seen = signature(settings.source, environment)
    configuration = None if demo_model_url else _accepted(settings, environment)
    settings = configuration.settings if configuration else settings
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listening_socket(settings))
        books = await stack.enter_async_context(_open_books(settings.database.path))
        door = Door(host=settings.server.host, keys=books.keys, insecure=insecure)
        _refuse_open_door(door, settings)
        http = await stack.enter_async_context(aclosing(HttpClients()))
        live = ConfiguredProviders(configuration, environment, http) if configuration else None
        providers = live.in_force() if live else demo_providers(demo_model_url, http)
        authenticate = _authenticate(books, door, settings)
        logs = Logs(events=logger, requests=stack.enter_context(_access_log(logger)))
        api = _build_api(books, providers, authenticate, settings.server, logs)
        reload = (
            Reload(
                settings=settings,
                seen=seen,
                environment=environment,
                listening=(settings.server.host, listener.getsockname()[1]),
                door=door,
                providers=live,
                authenticate=authenticate,
                logger=logger,
            )
            if live
            else None
        )
        handlers = _control_handlers(books, providers, reload)
        control = ControlServer(socket_path(settings.database.path), handlers)
        await stack.enter_async_context(control.listening())
        async with _background(books, providers, logger, reload, watch):
            on_ready = partial(_announce, started, settings, listener, providers, authenticate)
            await serve_api(api, [listener], on_ready)


@asynccontextmanager
async def _background(
    books: Books, providers: Providers, logger: Logger, reload: Reload | None, watch: bool
) -> AsyncIterator[None]:
    """What goes on beside the serving, under supervision."""
    supervisor = Supervisor(partial(_report_trouble, logger))
    jobs: dict[str, Callable[[], Awaitable[None]]] = {
        "ledger": books.settle.run,
        "keys": books.keys.run,
        "catalog": providers.catalog.run,
        "trouble": partial(_tell_trouble, books, logger),
    }
    with ExitStack() as stack:
        if reload:
            stack.enter_context(reload.on_signal())
            jobs |= {"reload": reload.run} | ({"watch": reload.watch} if watch else {})
        async with anyio.create_task_group() as tasks:
            for name, job in jobs.items():
                tasks.start_soon(supervisor.run, name, job)
            yield
            tasks.cancel_scope.cancel()


async def listed_catalog(settings: Settings, environment: Environment) -> Catalog:
    """What can be called, asked of the providers now, for a command without a server. Raises as `serve`."""
    async with aclosing(HttpClients()) as http:
        refresh = ConfiguredProviders(_accepted(settings, environment), environment, http).catalog
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refresh.run)
            with anyio.move_on_after(LISTING_S):
                while any(_is_awaited(entry) for entry in refresh.current().providers):  # noqa: ASYNC110 - polled for some seconds, by a command
                    await anyio.sleep(0.02)
            tasks.cancel_scope.cancel()
        return refresh.current()


def _accepted(settings: Settings, environment: Environment) -> Configuration:
    """The whole configuration that the settings are a part of. Raises `ConfigurationError`."""
    return examine(file=settings.source, environment=environment, flags=settings.flags).accepted()


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


def _refuse_open_door(door: Door, settings: Settings) -> None:
    if door.stands_open(settings.auth.mode):
        raise Refused(
            f"refusing to listen on {door.host} without API keys. Create one: relay keys create NAME, "
            "or say --insecure-no-auth."
        )


def _guard(server: Server) -> BrowserGuard:
    names = HostNames(own=(server.host,), configured=server.hosts)
    return BrowserGuard(names, Origins(server.origins))


def _build_api(
    books: Books, providers: Providers, authenticate: Authenticate, server: Server, logs: Logs
) -> Gate:
    clock, ids = SystemClock(), UuidV7Ids()
    return create_api(
        relay_chat=RelayChat(
            catalog=providers.catalog,
            backends=providers.backends,
            ledger=books.spool,
            clock=clock,
            ids=ids,
            thinking=ThinkingMemory(store=InMemoryThoughts(clock=clock)) if server.keep_thoughts else None,
        ),
        relay_embeddings=RelayEmbeddings(
            catalog=providers.catalog, backends=providers.backends, ledger=books.spool, clock=clock, ids=ids
        ),
        relay_service=RelayServices(
            catalog=providers.catalog, backends=providers.backends, ledger=books.spool, clock=clock, ids=ids
        ),
        authenticate=authenticate,
        list_models=ListModels(catalog=providers.catalog),
        manage_models=ManageModels(catalog=providers.catalog, providers=providers.backends),
        responses=InMemoryResponses(clock=clock, max_responses=MAX_KEPT if server.keep_responses else 0),
        count_tokens=CountTokens(catalog=providers.catalog, counters=providers.backends),
        catalog=providers.catalog,
        clock=clock,
        ids=ids,
        ready=lambda: [books.spool.problem] if books.spool.problem else [],
        degraded=lambda: [problem for problem in (books.settle.problem, books.keys.problem) if problem],
        access=logs.requests,
        log=logs.events,
        guard=_guard(server),
        traffic=Traffic(server.max_in_flight),
    )


@contextmanager
def _access_log(logger: Logger) -> Iterator[AccessLog]:
    """Beside the other events, on standard error: JSON, unless somebody is looking."""
    if sys.stderr.isatty():
        yield to_logger(logger)
        return
    stream = AccessStream(sys.stderr, SystemClock())
    try:
        yield stream
    finally:
        stream.flush()


def _authenticate(books: Books, door: Door, settings: Settings) -> Authenticate:
    return Authenticate(
        keys=books.keys,
        clock=SystemClock(),
        mode=door.mode(settings.auth.mode),
        on_loopback=door.on_loopback,
    )


def _control_handlers(books: Books, providers: Providers, reload: Reload | None) -> Mapping[str, Handler]:
    work = partial(open_work, books.database)
    clock = SystemClock()
    create = CreateKey(open_work=work, entropy=SystemEntropy(), clock=clock)
    keys = key_handlers(create, RevokeKey(open_work=work, clock=clock), books.keys.refresh)
    config = config_handlers(partial(reload, "command")) if reload else {}
    return {**keys, **catalog_handlers(providers.catalog), **config}


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
