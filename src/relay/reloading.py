"""Puts a changed configuration in force while serving, whole or not at all.

Theory of operation. Whoever wants a reload (a signal, the watched file, the control socket) has the one
`Reload` do it, and reloads run one after the other. Reading is done in a thread, so that no stream waits for
it. What was read is put in force in one step of the event loop: a call sees the old configuration or the new
one, never a mixture, and a call in flight keeps what it began with.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import anyio
from anyio import to_thread

from relay.adapters.inbound.cli.programs import Reloaded
from relay.adapters.outbound.providers.spec import Address
from relay.adapters.outbound.telemetry.logging import Logger
from relay.application.authenticate import Authenticate
from relay.application.door import Door
from relay.configuration import Examined, examine
from relay.live_providers import ConfiguredProviders
from relay.settings import Finding, Mistake, Settings, found, in_order

type Trigger = Literal["signal", "watch", "command"]
type Signature = tuple[Path, int, int, int] | None
"""A file and the time of its change, its size and its inode, by which versions of it differ; `None`: no file."""

LOOK_S = 1.0
SETTLE_S = 0.2
"""A changed file is read when it has kept still for so long: half of a file may be a valid file, too."""

MAX_SETTLES = 3

MAX_TOLD = 100
"""Mistakes in the answer to a command; `relay config check` tells all of them."""

_FIXED: Mapping[str, Callable[[Settings], object]] = {
    "server.host": lambda settings: settings.server.host,
    "server.port": lambda settings: settings.server.port,
    "server.origins": lambda settings: settings.server.origins,
    "server.hosts": lambda settings: settings.server.hosts,
    "server.max_in_flight": lambda settings: settings.server.max_in_flight,
    "server.keep_thoughts": lambda settings: settings.server.keep_thoughts,
    "server.keep_responses": lambda settings: settings.server.keep_responses,
    "database.url": lambda settings: settings.database.url,
}
"""Where the relay listens, for whom, and keeps its books: what only a restart can change."""


@dataclass(slots=True, kw_only=True)
class Reload:
    """Reads the configuration anew and puts it in force.

    `settings` are those the server started with, `seen` the file's signature from before they were read, and
    `listening` where it listens.
    """

    settings: Settings
    seen: Signature
    environment: Mapping[str, str]
    listening: Address
    door: Door
    providers: ConfiguredProviders
    authenticate: Authenticate
    logger: Logger
    _source: Path | None = field(init=False)
    _asked: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _turn: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._source = self.settings.source

    async def __call__(self, trigger: Trigger) -> Reloaded:
        """Reload now. With any mistake in it nothing of the new configuration is put in force."""
        async with self._turn:
            examined = await to_thread.run_sync(self._examined)
            mistakes = (*examined.mistakes, *self._opened_door(examined))
            if mistakes:
                return self._refused(trigger, examined, mistakes)
            return self._put_in_force(trigger, examined)

    async def run(self) -> None:
        """Reload whenever it was asked for by a signal; however often meanwhile, once more."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self("signal")

    async def watch(self) -> None:
        """Reload whenever the file has changed."""
        while True:
            await anyio.sleep(LOOK_S)
            now = await self._looked()
            if now != self.seen:
                self.seen = await self._settled(now)
                await self("watch")

    @contextmanager
    def on_signal(self) -> Iterator[None]:
        """SIGHUP asks for a reload while this lasts. For the main thread."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._asked.set)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    def _examined(self) -> Examined:
        """A file that was there at the start must be there: its absence is no wish for the defaults."""
        return examine(
            file=self._source,
            environment=self.environment,
            flags=self.settings.flags,
            listening=self.listening,
        )

    def _opened_door(self, examined: Examined) -> tuple[Mistake, ...]:
        if not self.door.stands_open(examined.configuration.settings.auth.mode):
            return ()
        reason = f"would let everybody in who reaches {self.door.host}"
        how = "Create a key first: relay keys create NAME."
        return (examined.document.mistake(Finding(("auth", "mode"), reason, how)),)

    def _refused(self, trigger: Trigger, examined: Examined, mistakes: tuple[Mistake, ...]) -> Reloaded:
        result = self._result(examined, mistakes=in_order(mistakes)[:MAX_TOLD])
        first = str(result.mistakes[0])
        self.logger.error("configuration_refused", trigger=trigger, mistakes=len(mistakes), first=first)
        return result

    def _put_in_force(self, trigger: Trigger, examined: Examined) -> Reloaded:
        settings = examined.configuration.settings
        mode = self.door.mode(settings.auth.mode)
        is_changed = self.providers.replace(examined.configuration) or mode != self.authenticate.mode
        self.authenticate.mode = mode
        self._source = settings.source
        waiting = tuple(key for key, value in _FIXED.items() if value(settings) != value(self.settings))
        result = self._result(examined, is_changed=is_changed, needs_restart=waiting)
        event = "configuration_reloaded" if is_changed else "configuration_unchanged"
        self.logger.info(event, trigger=trigger, providers=result.providers, models=result.models)
        if waiting:
            self.logger.warning("configuration_needs_restart", keys=waiting)
        return result

    def _result(
        self,
        examined: Examined,
        *,
        mistakes: tuple[Mistake, ...] = (),
        is_changed: bool = False,
        needs_restart: tuple[str, ...] = (),
    ) -> Reloaded:
        settings = examined.configuration.settings
        return Reloaded(
            file=str(settings.source or ""),
            mistakes=mistakes,
            providers=len(examined.configuration.providers),
            models=len(settings.models),
            is_changed=is_changed,
            needs_restart=needs_restart,
        )

    async def _looked(self) -> Signature:
        return await to_thread.run_sync(signature, self._source, self.environment)

    async def _settled(self, now: Signature) -> Signature:
        for _ in range(MAX_SETTLES):
            await anyio.sleep(SETTLE_S)
            before, now = now, await self._looked()
            if now == before:
                break
        return now


def signature(source: Path | None, environment: Mapping[str, str]) -> Signature:
    """The signature of the file that is or would be read."""
    path = source or found(environment)
    try:
        seen = path.stat() if path else None
    except OSError:
        return None
    return (path, seen.st_mtime_ns, seen.st_size, seen.st_ino) if path and seen else None
