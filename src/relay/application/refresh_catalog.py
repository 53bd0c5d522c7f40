"""Keeps the catalog: what is configured at once, what providers list as soon as they answer.

Theory of operation. The current snapshot is replaced as a whole whenever anything in it changes. `run` gives
each provider a task of its own, so that one that hangs delays no other; a failed listing is tried again after
5 s, 10 s, and so on up to 5 min, and the last good list stays in force meanwhile, with the problem told beside
it. A changed configuration takes effect at once, keeps the lists of providers that did not change, and starts
the tasks anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from relay.application.ports import Clock
from relay.domain.catalog import Catalog, ModelEntry, ProviderEntry, VirtualModel
from relay.domain.errors import RelayError
from relay.domain.overrides import Override, overridden


class ModelLister(Protocol):
    """Asks a provider what it offers."""

    async def list_models(self) -> Sequence[ModelEntry]:
        """The models the provider offers now. Raises `UpstreamError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProvider:
    """A configured provider: `models` are those the configuration names, `lister` finds others.

    `problem` is what keeps it from being called, `wire` how it is called. Providers of equal `source` list the same
    models: it is compared when the configuration changes, and otherwise not looked at.
    """

    name: str
    kind: str
    models: tuple[ModelEntry, ...] = ()
    lister: ModelLister | None = None
    problem: str = ""
    wire: str = ""
    source: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTimes:
    """Seconds between good listings, and of the first and longest wait after a failed one."""

    interval_s: float = 600.0
    retry_s: float = 5.0
    max_retry_s: float = 300.0


DEFAULT_TIMES = RefreshTimes()


@dataclass(slots=True)
class _Known:
    """What is known of one provider: as it says it, and as it is shown.

    `due_at` is of the monotonic clock, `wanted` ends the wait for it.
    """

    provider: ListedProvider
    entry: ProviderEntry
    shown: ProviderEntry
    due_at: float
    failures: int = 0
    wanted: anyio.Event = field(default_factory=anyio.Event)


class RefreshCatalog:
    """The holder of the current catalog (`CatalogSource`), and the background task that refreshes it."""

    def __init__(
        self,
        providers: Sequence[ListedProvider],
        virtuals: Sequence[VirtualModel] = (),
        default_model: str | None = None,
        *,
        overrides: Sequence[Override] = (),
        clock: Clock,
        times: RefreshTimes = DEFAULT_TIMES,
    ) -> None:
        self._clock = clock
        self._times = times
        self._version = 0
        self._known: dict[str, _Known] = {}
        self._changed = anyio.Event()
        self.replace_config(providers, virtuals, default_model, overrides)

    def current(self) -> Catalog:
        """As `CatalogSource.current`."""
        return self._catalog

    def replace_config(
        self,
        providers: Sequence[ListedProvider],
        virtuals: Sequence[VirtualModel],
        default_model: str | None,
        overrides: Sequence[Override] = (),
    ) -> None:
        """Put a new configuration in force, at once and without waiting for anyone."""
        self._overrides = tuple(overrides)
        self._known = {provider.name: self._taken_over(provider) for provider in providers}
        self._virtuals = tuple(virtuals)
        self._default_model = default_model
        self._publish()
        self._changed.set()
        self._changed = anyio.Event()

    def refresh(self, provider: str) -> None:
        """Have the provider asked now, and once more if it is just being asked. Unknown names mean nothing."""
        if (known := self._known.get(provider)) is not None:
            known.due_at = self._clock.monotonic()
            known.wanted.set()

    async def run(self) -> None:
        """Refresh for ever; ends by cancellation only."""
        while True:
            changed = self._changed
            async with anyio.create_task_group() as tasks:
                for known in self._known.values():
                    if known.provider.lister is not None:
                        tasks.start_soon(self._keep_fresh, known, known.provider.lister)
                await changed.wait()
                tasks.cancel_scope.cancel()

    async def _keep_fresh(self, known: _Known, lister: ModelLister) -> None:
        while True:
            with anyio.move_on_after(max(0.0, known.due_at - self._clock.monotonic())):
                await known.wanted.wait()
            known.wanted = anyio.Event()
            await self._list(known, lister)

    async def _list(self, known: _Known, lister: ModelLister) -> None:
        problem = ""
        models: tuple[ModelEntry, ...] = known.entry.models
        discovered_at = known.entry.discovered_at
        try:
            models = tuple(await lister.list_models())
        except RelayError as error:
            problem = error.message
        except Exception as error:
            # What a provider lists is not ours to trust: no list may end the refresh of the others.
            problem = f"its list of models cannot be read ({type(error).__name__})"
        else:
            discovered_at = self._clock.unix_ms() // 1000
        known.failures = known.failures + 1 if problem else 0
        known.due_at = self._clock.monotonic() + self._wait_s(known.failures)
        known.entry = ProviderEntry(
            name=known.provider.name,
            kind=known.provider.kind,
            models=models,
            discovered_at=discovered_at,
            problem=problem,
            wire=known.provider.wire,
        )
        known.shown = overridden(known.entry, self._overrides)
        self._publish()

    def _wait_s(self, failures: int) -> float:
        if failures == 0:
            return self._times.interval_s
        return min(self._times.retry_s * 2.0 ** min(failures - 1, 30), self._times.max_retry_s)

    def _taken_over(self, provider: ListedProvider) -> _Known:
        known = self._known.get(provider.name)
        if (
            known is not None
            and known.provider.source is not None
            and known.provider.source == provider.source
        ):
            return self._shown(provider, known.entry, known.due_at, known.failures)
        entry = ProviderEntry(
            name=provider.name,
            kind=provider.kind,
            models=provider.models,
            problem=provider.problem,
            wire=provider.wire,
        )
        return self._shown(provider, entry, self._clock.monotonic())

    def _shown(
        self, provider: ListedProvider, entry: ProviderEntry, due_at: float, failures: int = 0
    ) -> _Known:
        return _Known(provider, entry, overridden(entry, self._overrides), due_at, failures)

    def _publish(self) -> None:
        self._version += 1
        self._catalog = Catalog(
            providers=tuple(known.shown for known in self._known.values()),
            virtuals=self._virtuals,
            default_model=self._default_model,
            version=self._version,
            disabled=tuple(override.pattern for override in self._overrides if override.is_disabled),
        )
