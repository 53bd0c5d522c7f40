"""Reloads one after the other: put in force whole or refused, asked for by signals, a watched file and commands."""

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
import structlog

from relay import reloading
from relay.application.authenticate import Authenticate
from relay.application.door import Door
from relay.configuration import examine
from relay.live_providers import ConfiguredProviders
from relay.reloading import Reload, signature
from tests.support.fakes_chat import TickingClock
from tests.support.fakes_http import RecordingHttp, whole
from tests.support.fakes_keys import MemoryKeys

pytestmark = pytest.mark.anyio

UP = '[providers.up]\nkind = "openai-compatible"\nbase_url = "http://up/v1"\nmodels = ["m"]\n'


@dataclass
class Served:
    """A reload as the server has it, its file, and what it logged."""

    file: Path
    reload: Reload
    providers: ConfiguredProviders
    authenticate: Authenticate
    log: list[structlog.typing.EventDict] = field(default_factory=list)

    def names(self) -> list[str]:
        return list(self.providers.catalog.current().names())

    def events(self) -> list[str]:
        return [line["event"] for line in self.log]


def served(file: Path, *, host: str = "127.0.0.1", insecure: bool = False, there: bool = True) -> Served:
    """Serving the file; with `there` off, serving defaults where the file would be found."""
    environment = {"XDG_CONFIG_HOME": str(file.parent.parent)}
    source = file if there else None
    seen = signature(source, environment)
    configuration = examine(file=source, environment=environment).accepted()
    keys = MemoryKeys()
    door = Door(host=host, keys=keys, insecure=insecure)
    mode = door.mode(configuration.settings.auth.mode)
    authenticate = Authenticate(keys=keys, clock=TickingClock(), mode=mode, on_loopback=door.on_loopback)
    providers = ConfiguredProviders(configuration, environment, RecordingHttp(lambda request: whole({})))
    log: list[structlog.typing.EventDict] = []
    reload = Reload(
        settings=configuration.settings,
        seen=seen,
        environment=environment,
        listening=(host, 11434),
        door=door,
        providers=providers,
        authenticate=authenticate,
        logger=structlog.wrap_logger(
            None, processors=[_kept_in(log)], wrapper_class=structlog.make_filtering_bound_logger(0)
        ),
    )
    return Served(file, reload, providers, authenticate, log)


def _kept_in(log: list[structlog.typing.EventDict]) -> structlog.typing.Processor:
    def keep(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        log.append({**event, "level": method})
        raise structlog.DropEvent

    return keep


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "relay").mkdir()
    path = tmp_path / "relay" / "relay.toml"
    path.write_text(UP)
    return path


@asynccontextmanager
async def running(*jobs: Callable[[], object]) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        for job in jobs:
            tasks.start_soon(job)  # type: ignore[arg-type]  # all of them are coroutine functions
        yield
        tasks.cancel_scope.cancel()


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(3):
        while not holds():
            await anyio.sleep(0.005)


async def test_a_valid_change_is_in_force_when_the_reload_returns(file: Path) -> None:
    relay = served(file)
    file.write_text(UP + '[models.x]\ntarget = "up/m"\n[auth]\nmode = "keys"\n')
    result = await relay.reload("command")
    assert (result.is_changed, result.mistakes, result.needs_restart) == (True, (), ())
    assert (result.file, result.providers, result.models) == (str(file), 1, 1)
    assert relay.names() == ["x", "up/m"]
    assert not relay.authenticate.is_open
    assert relay.log == [
        {
            "event": "configuration_reloaded",
            "trigger": "command",
            "providers": 1,
            "models": 1,
            "level": "info",
        }
    ]
    assert (await relay.reload("signal")).is_changed is False
    assert relay.events()[1:] == ["configuration_unchanged"]


async def test_an_invalid_change_changes_nothing_and_the_log_says_why_without_secrets(file: Path) -> None:
    relay = served(file)
    file.write_text(
        '[models.x]\ntarget = "up/m"\n[providers.new]\nkind = "opnai"\napi_kye = "sk-canary"\n[x]\n'
    )
    result = await relay.reload("signal")
    assert [mistake.line for mistake in result.mistakes] == [4, 5, 6]
    assert relay.names() == ["up/m"]
    (line,) = relay.log
    assert (line["event"], line["level"], line["mistakes"]) == ("configuration_refused", "error", 3)
    assert line["first"] == f'{file}:4:8: [providers.new] kind: unknown kind. Did you mean "openai"?'
    assert "canary" not in str(relay.log) + str(result)


async def test_of_very_many_mistakes_the_first_are_told_and_all_are_counted(file: Path) -> None:
    relay = served(file)
    file.write_text("".join(f'[models.m{number}]\ntargett = "up/m"\n' for number in range(300)))
    result = await relay.reload("command")
    assert [mistake.line for mistake in result.mistakes] == list(range(2, 202, 2))
    assert relay.log[-1]["mistakes"] == 300


async def test_a_file_that_is_gone_is_no_wish_for_the_defaults(file: Path) -> None:
    relay = served(file)
    file.unlink()
    (mistake,) = (await relay.reload("signal")).mistakes
    assert mistake.reason == "cannot be read: no such file"
    assert relay.names() == ["up/m"]


async def test_a_file_that_appears_where_it_is_looked_for_is_taken(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent.parent)
    file.rename(file.with_name("other"))
    relay = served(file, there=False)
    assert relay.names() == []
    file.with_name("other").rename(file)
    assert (await relay.reload("signal")).file == str(file)
    assert relay.names() == ["up/m"]
    file.unlink()
    assert (await relay.reload("signal")).mistakes


async def test_where_it_listens_and_keeps_books_waits_for_a_restart(file: Path) -> None:
    relay = served(file)
    file.write_text(
        '[server]\nhost = "0.0.0.0"\nport = 1\n[database]\nurl = "sqlite:///x.db"\n'
        + UP.replace('"m"', '"n"')
    )
    result = await relay.reload("signal")
    assert result.needs_restart == ("server.host", "server.port", "database.url")
    assert relay.names() == ["up/n"]
    assert relay.log[-1]["event"] == "configuration_needs_restart"
    assert (await relay.reload("signal")).needs_restart == result.needs_restart
    file.write_text(UP)
    assert (await relay.reload("signal")).needs_restart == ()


@pytest.mark.parametrize("mode", ["open", "auto"])
async def test_a_reload_does_not_open_a_door_beyond_this_machine(file: Path, mode: str) -> None:
    file.write_text(UP + '[auth]\nmode = "keys"\n')
    relay = served(file, host="0.0.0.0")
    file.write_text(UP + f'[models.x]\ntarget = "up/m"\n[auth]\nmode = "{mode}"\n')
    (mistake,) = (await relay.reload("command")).mistakes
    assert (mistake.line, mistake.key) == (8, "mode")
    assert mistake.reason == "would let everybody in who reaches 0.0.0.0"
    assert relay.names() == ["up/m"]
    assert not relay.authenticate.is_open


async def test_an_insecure_relay_stays_open_whatever_the_file_says(file: Path) -> None:
    relay = served(file, host="0.0.0.0", insecure=True)
    file.write_text(UP + '[auth]\nmode = "keys"\n')
    assert (await relay.reload("command")).mistakes == ()
    assert relay.authenticate.is_open


async def test_a_signal_asks_for_a_reload_and_a_storm_of_them_for_few(file: Path) -> None:
    relay = served(file)
    with relay.reload.on_signal():
        async with running(relay.reload.run):
            file.write_text(UP + '[models.x]\ntarget = "up/m"\n')
            for number in range(500):
                os.kill(os.getpid(), signal.SIGHUP)
                if number % 50 == 0:  # the loop's own wake-up pipe has room for some hundred
                    await anyio.sleep(0)
            await until(lambda: relay.names() == ["x", "up/m"])
            await until(lambda: len(relay.log) >= 1)
            await anyio.sleep(0.1)
    assert len(relay.log) < 100


async def test_reloads_at_once_wait_for_each_other(file: Path) -> None:
    relay = served(file)
    file.write_text(UP + '[models.x]\ntarget = "up/m"\n')
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(relay.reload, "command")
    assert relay.events() == ["configuration_reloaded"] + ["configuration_unchanged"] * 19


async def test_a_watched_file_is_read_when_it_has_changed_and_kept_still(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading, "LOOK_S", 0.02)
    monkeypatch.setattr(reloading, "SETTLE_S", 0.1)
    relay = served(file)
    async with running(relay.reload.watch):
        await anyio.sleep(0.1)
        assert relay.log == []
        file.write_text("")  # what an editor does first is a valid configuration, too
        await anyio.sleep(0.05)
        file.write_text(UP.replace('"m"', '"n"'))
        await until(lambda: relay.names() == ["up/n"])
        assert relay.events() == ["configuration_reloaded"]
        file.write_text("[")
        await until(lambda: len(relay.log) == 2)
        await anyio.sleep(0.2)
        assert relay.events()[1:] == ["configuration_refused"]
        (file.parent / "new").write_text(UP)
        (file.parent / "new").replace(file)
        await until(lambda: relay.names() == ["up/m"])


async def test_a_change_made_between_reading_and_watching_is_not_missed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading, "LOOK_S", 0.02)
    relay = served(file)
    file.write_text(UP.replace('"m"', '"other"'))
    async with running(relay.reload.watch):
        await until(lambda: relay.names() == ["up/other"])


def test_a_file_is_told_from_another_version_of_the_same_size_and_time(file: Path) -> None:
    before = signature(file, {})
    os.utime(file, ns=(1, 1))
    touched = signature(file, {})
    (file.parent / "new").write_text(UP)
    os.utime(file.parent / "new", ns=(1, 1))
    (file.parent / "new").replace(file)
    assert len({before, touched, signature(file, {})}) == 3
    file.unlink()
    assert signature(file, {}) is None
