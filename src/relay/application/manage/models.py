"""Changes the models of providers that may be managed, for those who may manage them.

Theory of operation. A provider is managed when its configuration says so, a caller may manage with a key of admin
scope. The prefixes of the names decide which provider is meant; without one it is the only managed one. It is given
its own names, and asked for its models anew as soon as a change has succeeded.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, Protocol

from relay.application.calls import Caller
from relay.application.ports import CatalogSource
from relay.domain.access import reached
from relay.domain.catalog import Target
from relay.domain.errors import Forbidden, Interrupted, InvalidRequest
from relay.domain.names import split_prefix

type Change = Literal["pull", "push", "create", "copy", "delete"]

SUCCESS = "success"

_DOINGS: Mapping[Change, str] = {
    "pull": "pulling models",
    "push": "pushing models",
    "create": "creating models",
    "copy": "copying models",
    "delete": "deleting models",
}
AT_ONCE: tuple[Change, ...] = ("copy", "delete")
"""Changes that succeed without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressLine:
    """One line of a change's progress, as it came and without its line end; `error` when it failed."""

    raw: bytes
    status: str = ""
    error: str = ""


class Progress(Protocol):
    """A change that a provider has begun. Must be closed, also after an error."""

    async def read(self) -> ProgressLine | None:
        """The next line; `None` at the end. Raises `UpstreamError`."""
        ...

    async def aclose(self) -> None:
        """Let go of the connection, which stops a change that still goes on. Idempotent."""
        ...


class ModelManagement(Protocol):
    """A provider whose models can be changed."""

    async def begin(self, change: Change, fields: Mapping[str, object], request_id: str) -> Progress:
        """Ask for a change, in the fields of Ollama's request.

        Raises `UpstreamError`, with the provider's own status where it answered with one.
        """
        ...


class ManagedProviders(Protocol):
    """The live providers that may be managed."""

    def managed(self) -> Mapping[str, ModelManagement]:
        """By name, in the order of the configuration."""
        ...


class RefreshedCatalog(CatalogSource, Protocol):
    """A catalog whose providers can be asked anew."""

    def refresh(self, provider: str) -> None:
        """Have the provider asked for its models now, without waiting for its answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A change that its caller may make: where, and the provider's own names in the order of those given."""

    change: Change
    provider: str
    names: tuple[str, ...]
    management: ModelManagement


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageModels:
    """Decides who may change what, and has it changed."""

    catalog: RefreshedCatalog
    providers: ManagedProviders

    @property
    def is_enabled(self) -> bool:
        """True when any provider is managed."""
        return bool(self.providers.managed())

    def may(self, caller: Caller) -> bool:
        """True for a caller with admin scope, where there is something to manage."""
        return self.is_enabled and caller.key is not None and caller.key.is_admin

    def lacks(self, name: str, caller: Caller) -> bool:
        """True when the caller may pull what this name means, which its managed provider does not list."""
        provider, own = self._split(name)
        if not self.may(caller) or provider not in self.providers.managed():
            return False
        entry = self.catalog.current().provider(provider)
        return entry is not None and entry.find(own) is None

    def own_name(self, name: str) -> str:
        """The name as the provider it leads to is given it."""
        return self._split(name)[1]

    def order(self, change: Change, names: Sequence[str], caller: Caller) -> Order:
        """What is to be done, and where. Raises `Forbidden` and `InvalidRequest`."""
        doing = _DOINGS[change]
        managed = self.providers.managed()
        if not managed:
            raise not_enabled(doing)
        if not self.may(caller):
            raise Forbidden(
                f"{doing} needs a key with admin scope: relay keys create NAME --admin",
                code="admin_scope_needed",
            )
        split = [self._split(name) for name in names]
        provider = _only_one({prefix: None for prefix, _ in split if prefix} or managed, doing)
        if provider not in managed:
            raise Forbidden(
                f"{doing} of the provider {provider!r} is not enabled: its section does not say manage = true",
                code="management_not_enabled",
            )
        for _, own in split:
            target = Target(provider=provider, model=own)
            if not reached(caller.key, own, (target,)):
                raise Forbidden(f"this key does not reach {target}", code="model_not_allowed")
        return Order(
            change=change,
            provider=provider,
            names=tuple(own for _, own in split),
            management=managed[provider],
        )

    async def __call__(
        self, order: Order, fields: Mapping[str, object], request_id: str
    ) -> AsyncGenerator[ProgressLine]:
        """The lines of the progress; none for a change that succeeds without a word. Close it with `aclosing`.

        Raises `UpstreamError`, `Interrupted` when the progress ended without an end.
        """
        progress = await order.management.begin(order.change, fields, request_id)
        async with aclosing(progress):
            if order.change in AT_ONCE:
                self._refresh(order)
                return
            while (line := await progress.read()) is not None:
                if line.status == SUCCESS:
                    self._refresh(order)
                yield line
                if line.status == SUCCESS or line.error:
                    return
            raise Interrupted("the provider's progress ended before the change was made")

    def _refresh(self, order: Order) -> None:
        if order.change != "push":
            self.catalog.refresh(order.provider)

    def _split(self, name: str) -> tuple[str, str]:
        """The provider that the name's prefix means, empty without one, and the rest of the name."""
        catalog = self.catalog.current()
        for prefix, own in split_prefix(name, "/"):
            if (entry := catalog.provider(prefix)) is not None:
                return entry.name, own
        return "", name


def not_enabled(doing: str) -> Forbidden:
    """What nobody may do here."""
    return Forbidden(
        f"{doing} is not enabled on this relay: it serves its providers' models and changes none",
        code="management_not_enabled",
    )


def _only_one(named: Mapping[str, object], doing: str) -> str:
    if len(named) > 1:
        raise InvalidRequest(
            f"{doing} needs one provider: begin the name with one of {', '.join(f'{name}/' for name in named)}",
            param="model",
        )
    return next(iter(named))
