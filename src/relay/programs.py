"""What the commands run: each composed of use cases and adapters, loaded only as far as it needs."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path

import msgspec

from relay.adapters.inbound.cli.price_programs import PricePrograms
from relay.adapters.inbound.cli.programs import (
    Checked,
    ExplainedName,
    ImportedOverrides,
    ModelLine,
    Programs,
    Reloaded,
    ServerStarted,
)
from relay.adapters.inbound.cli.refusal import BAD_CONFIGURATION, FAILED, NOT_FOUND, NOT_REACHED, Refused
from relay.adapters.inbound.control.client import NoServer, send
from relay.adapters.inbound.control.client import Refused as ServerRefused
from relay.adapters.inbound.control.wire import Answer, socket_path
from relay.adapters.outbound.system import SystemClock, SystemEntropy
from relay.application.report_usage import ModelTotals, ReportUsage, RequestsPage, RequestsQuery
from relay.domain.catalog import Catalog
from relay.domain.errors import RelayError
from relay.domain.keys import KeyRecord
from relay.settings import ConfigurationError, Database, Settings, in_order, read
from relay.starting import starting

DEMO_FOLDER = Path("relay-demo")
DEMO_DATABASE = Database(url=f"sqlite:///{DEMO_FOLDER}/relay.db")


class CommandPrograms:
    """Implements `inbound.cli.programs.Programs` on this machine."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._clock = SystemClock()

    def now_ms(self) -> int:
        """As `Programs.now_ms`."""
        return self._clock.unix_ms()

    def settings(self, file: Path | None, flags: Mapping[str, Mapping[str, object]]) -> Settings:
        """As `Programs.settings`."""
        reading = read(file=file, environment=self._environment, flags=flags)
        if reading.mistakes:
            from relay.configuration import examine

            mistakes = examine(file=file, environment=self._environment, flags=flags).mistakes
            raise Refused(str(ConfigurationError(mistakes or reading.mistakes)), BAD_CONFIGURATION)
        return reading.settings

    def serve(
        self, settings: Settings, *, insecure: bool, watch: bool, started: Callable[[ServerStarted], None]
    ) -> None:
        """As `Programs.serve`."""
        with starting() as ready:
            from relay import bootstrap

            told = _both(ready, started)
            _serve(bootstrap.serve(settings, self._environment, insecure=insecure, watch=watch, started=told))

    def demo(self, settings: Settings, *, started: Callable[[ServerStarted], None]) -> None:
        """As `Programs.demo`."""
        from relay.adapters.outbound.demo.local_model import LocalModel, LocalModelMissing

        try:
            model = LocalModel()
        except LocalModelMissing as error:
            raise Refused(str(error)) from None
        DEMO_FOLDER.mkdir(exist_ok=True)
        server = msgspec.structs.replace(settings.server, host="127.0.0.1", default_model=None)
        demo = Settings(server=server, auth=settings.auth, database=DEMO_DATABASE)
        with starting() as ready:
            from relay import bootstrap

            told = _both(ready, started)
            _serve(bootstrap.serve(demo, {}, insecure=False, started=told, demo_model_url=model.base_url))

    def check_configuration(self, file: Path | None) -> Checked:
        """As `Programs.check_configuration`."""
        from relay.configuration import examine

        examined = examine(file=file, environment=self._environment)
        settings = examined.configuration.settings
        return Checked(
            file=str(settings.source or ""),
            mistakes=in_order(examined.mistakes),
            providers=len(examined.configuration.providers),
            models=len(settings.models),
        )

    def reload_configuration(self, file: Path | None) -> Reloaded:
        """As `Programs.reload_configuration`. Where the server is found is in the file, mistakes or not."""
        from relay.configuration import examine

        examined = examine(file=file, environment=self._environment)
        settings = examined.configuration.settings
        answer = self._asked(settings, {"do": "config.reload"})
        if answer is not None:
            return msgspec.convert(answer, Reloaded)
        if examined.mistakes:
            raise Refused(str(ConfigurationError(examined.mistakes)), BAD_CONFIGURATION)
        raise Refused(f"no relay serves {settings.database.path} now", NOT_REACHED)

    def import_overrides(self, file: Path) -> ImportedOverrides:
        """As `Programs.import_overrides`."""
        from relay.adapters.outbound.providers.override_import import UnreadableRules, imported

        try:
            toml, remarks = imported(file.read_bytes())
        except OSError as error:
            raise Refused(f"{file} cannot be read: {error.strerror}") from None
        except UnreadableRules as error:
            raise Refused(f"{file}: {error}") from None
        return ImportedOverrides(toml=toml, remarks=remarks)

    def prices(self, settings: Settings) -> PricePrograms:
        """As `Programs.prices`."""
        from relay.price_programs import LocalPrices

        return LocalPrices(settings, self._clock)

    def models(self, settings: Settings) -> Sequence[ModelLine]:
        """As `Programs.models`."""
        answer = self._asked(settings, {"do": "models"})
        if answer is not None:
            return msgspec.convert(answer["items"], list[ModelLine])
        from relay.adapters.inbound.control.catalog import model_lines

        return tuple(model_lines(self._listed(settings)))

    def explain(self, settings: Settings, name: str) -> ExplainedName:
        """As `Programs.explain`."""
        answer = self._asked(settings, {"do": "explain", "name": name})
        if answer is not None:
            return msgspec.convert(answer, ExplainedName)
        from relay.adapters.inbound.control.catalog import explained

        return explained(name, self._listed(settings))

    def requests(self, settings: Settings, query: RequestsQuery) -> RequestsPage:
        """As `Programs.requests`."""
        return self._reported(settings, lambda report: report.requests(query))

    def usage_totals(self, settings: Settings, since_ms: int) -> Sequence[ModelTotals]:
        """As `Programs.usage_totals`."""
        return self._reported(settings, lambda report: report.totals(since_ms))

    def create_key(
        self,
        settings: Settings,
        *,
        name: str,
        tags: Sequence[str],
        models: Sequence[str],
        expires_ms: int,
        is_admin: bool,
    ) -> str:
        """As `Programs.create_key`."""
        request = {
            "do": "keys.create",
            "name": name,
            "tags": list(tags),
            "models": list(models),
            "expires_ms": expires_ms,
            "is_admin": is_admin,
        }
        answer = self._asked(settings, request)
        if answer is not None:
            return str(answer["key"])
        from relay.adapters.outbound.storage.administration import administering
        from relay.application.manage.keys import CreateKey

        async def create() -> str:
            async with administering(_books(settings)) as open_work:
                use_case = CreateKey(open_work=open_work, entropy=SystemEntropy(), clock=self._clock)
                return (await use_case(name, tags, models, expires_ms, is_admin=is_admin)).key

        return _run(create())

    def list_keys(self, settings: Settings) -> Sequence[KeyRecord]:
        """As `Programs.list_keys`."""
        from relay.adapters.outbound.storage.administration import reading
        from relay.adapters.outbound.storage.key_records import SqlKeyListing
        from relay.application.manage.keys import ListKeys

        path = _books(settings)

        async def listed() -> Sequence[KeyRecord]:
            async with reading(path) as engine:
                return await ListKeys(keys=SqlKeyListing(engine))()

        return _run(listed()) if path.exists() else ()

    def revoke_key(self, settings: Settings, name: str) -> None:
        """As `Programs.revoke_key`."""
        if self._asked(settings, {"do": "keys.revoke", "name": name}) is not None:
            return
        from relay.adapters.outbound.storage.administration import administering
        from relay.application.manage.keys import RevokeKey

        async def revoke() -> None:
            async with administering(_books(settings)) as open_work:
                await RevokeKey(open_work=open_work, clock=self._clock)(name)

        _run(revoke())

    def _listed(self, settings: Settings) -> Catalog:
        from relay import bootstrap

        return _run(bootstrap.listed_catalog(settings, self._environment))

    def _asked(self, settings: Settings, request: Mapping[str, object]) -> Answer | None:
        """The running server's answer; `None` when no server runs on these books."""
        try:
            return send(socket_path(_books(settings)), request)
        except NoServer:
            return None
        except ServerRefused as error:
            raise Refused(str(error), NOT_FOUND if error.error.status == 404 else FAILED) from None
        except OSError as error:
            raise Refused(f"the running relay does not answer: {error}", NOT_REACHED) from None

    def _reported[T](self, settings: Settings, ask: Callable[[ReportUsage], Coroutine[None, None, T]]) -> T:
        from relay.adapters.outbound.storage.administration import reading
        from relay.adapters.outbound.storage.reports import SqlUsageReports

        async def report() -> T:
            async with reading(_books(settings)) as engine:
                return await ask(ReportUsage(SqlUsageReports(engine)))

        return _run(report())


def programs(environment: Mapping[str, str]) -> Programs:
    """What the commands run, with the configuration of this environment."""
    return CommandPrograms(environment)


def _books(settings: Settings) -> Path:
    """The database a command looks into: the configured one, else the demo's where only that exists."""
    path = settings.database.path
    demo = DEMO_DATABASE.path
    if not path.exists() and demo.exists():
        print(f"no {path} here: these are the books of the demo, {demo}", file=sys.stderr)  # noqa: T201
        return demo
    return path


def _run[T](work: Coroutine[None, None, T], run: Callable[[Coroutine[None, None, T]], T] = asyncio.run) -> T:
    """Run a use case to its end; what it refuses becomes the command's refusal."""
    from relay.adapters.outbound.storage.lock import DatabaseBusy
    from relay.adapters.outbound.storage.schema import SchemaMismatch
    from relay.application.settle_usage import StoreUnavailable

    try:
        return run(work)
    except RelayError as error:
        raise Refused(error.message, NOT_FOUND if error.status == 404 else FAILED) from None
    except (DatabaseBusy, SchemaMismatch) as error:
        raise Refused(str(error)) from None
    except StoreUnavailable as error:
        raise Refused(f"the books cannot be read: {error}", NOT_REACHED) from None
    except ConfigurationError as error:
        raise Refused(str(error), BAD_CONFIGURATION) from None


def _both(
    ready: Callable[[], None], started: Callable[[ServerStarted], None]
) -> Callable[[ServerStarted], None]:
    def tell(server: ServerStarted) -> None:
        ready()
        started(server)

    return tell


def _serve(work: Coroutine[None, None, None]) -> None:
    """Serve on uvloop until stopped."""
    import uvloop

    _run(work, uvloop.run)
