"""What the commands run: the composition root implements it, so that commands import no adapter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from relay.adapters.inbound.cli.price_programs import PricePrograms
from relay.application.report_usage import ModelTotals, RequestsPage, RequestsQuery
from relay.domain.keys import KeyRecord
from relay.settings import Mistake, Settings

type ProviderState = Literal["configured", "no key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLine:
    """A provider as the start-up text shows it. `detail` never holds a secret."""

    name: str
    state: ProviderState
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStarted:
    """What is true once the listener answers."""

    url: str
    database: Path
    config: Path | None
    providers: tuple[ProviderLine, ...]
    needs_keys: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLine:
    """A name a caller may use. `leads_to` is empty for a provider's own model.

    The two of `base` are what its provider says, where the operator says something else.
    """

    name: str
    kind: Literal["model", "alias", "pool", "router"]
    leads_to: str = ""
    context_tokens: int = 0
    capabilities: tuple[str, ...] = ()
    base_context_tokens: int | None = None
    base_capabilities: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedStep:
    """One tried step of the chain; `found` is empty where it passed."""

    step: str
    name: str
    found: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedName:
    """Where a name leads and why. No targets: it leads nowhere, and `closest` may help.

    `wires` say of each target how it is called, and whether bytes pass or are translated.
    """

    name: str
    resolved_by: str
    targets: tuple[str, ...]
    tags: tuple[str, ...]
    trace: tuple[ExplainedStep, ...]
    closest: tuple[str, ...] = ()
    wires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a look at the configuration showed. `file` is empty when there is none; `models` are virtual ones."""

    file: str
    mistakes: tuple[Mistake, ...] = ()
    providers: int = 0
    models: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded(Checked):
    """What a reload came to: with mistakes, to nothing. The keys `needs_restart` have new values not in force."""

    is_changed: bool = False
    needs_restart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedOverrides:
    """Sections of relay.toml as text, and a remark on each rule that has no place there."""

    toml: str
    remarks: tuple[str, ...] = ()


class Programs(Protocol):
    """What can be run. Each raises `Refused` with the words for the person and the exit code."""

    def now_ms(self) -> int:
        """Wall clock, unix milliseconds."""
        ...

    def settings(self, file: Path | None, flags: Mapping[str, Mapping[str, object]]) -> Settings:
        """The configuration in force."""
        ...

    def serve(
        self, settings: Settings, *, insecure: bool, watch: bool, started: Callable[[ServerStarted], None]
    ) -> None:
        """Serve until stopped; `started` is called once both sides answer. With `watch`, follow the file."""
        ...

    def demo(self, settings: Settings, *, started: Callable[[ServerStarted], None]) -> None:
        """Serve the local model and the scripted providers."""
        ...

    def check_configuration(self, file: Path | None) -> Checked:
        """Every mistake in the configuration: in `file`, or where none is given in the one that would be used."""
        ...

    def reload_configuration(self, file: Path | None) -> Reloaded:
        """Have the running server read its configuration anew."""
        ...

    def import_overrides(self, file: Path) -> ImportedOverrides:
        """The rules of a file of model overrides, as sections."""
        ...

    def prices(self, settings: Settings) -> PricePrograms:
        """The prices in force."""
        ...

    def models(self, settings: Settings) -> Sequence[ModelLine]:
        """Every name a caller may use: of the running server, else asked of the providers now."""
        ...

    def explain(self, settings: Settings, name: str) -> ExplainedName:
        """Where a name leads."""
        ...

    def requests(self, settings: Settings, query: RequestsQuery) -> RequestsPage:
        """A page of the ledger, newest first."""
        ...

    def usage_totals(self, settings: Settings, since_ms: int) -> Sequence[ModelTotals]:
        """Sums by provider and model."""
        ...

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
        """The new key: the only time it is seen."""
        ...

    def list_keys(self, settings: Settings) -> Sequence[KeyRecord]:
        """All keys, revoked ones included."""
        ...

    def revoke_key(self, settings: Settings, name: str) -> None:
        """End a key, by name or public id."""
        ...
