"""Programs that answer from memory, and a way to run a command with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from relay.adapters.inbound.cli.main import run
from relay.adapters.inbound.cli.price_programs import PricePrograms
from relay.adapters.inbound.cli.programs import (
    Checked,
    ExplainedName,
    ExplainedStep,
    ImportedOverrides,
    ModelLine,
    Programs,
    ProviderLine,
    Reloaded,
    ServerStarted,
)
from relay.adapters.inbound.cli.refusal import NOT_FOUND, Refused
from relay.application.report_usage import ModelTotals, RequestsPage, RequestsQuery, UsageRow
from relay.domain.keys import KeyRecord
from relay.domain.tags import Tag
from relay.settings import Server, Settings

NOW_MS = 1_800_000_000_000
STARTED = ServerStarted(
    url="http://127.0.0.1:11434",
    database=Path("relay.db"),
    config=None,
    providers=(
        ProviderLine(name="home", state="configured", detail="http://10.0.0.7:11434"),
        ProviderLine(name="openai", state="no key"),
    ),
    needs_keys=True,
)
ROW = UsageRow(
    id="0197",
    request_id="req",
    attempt=1,
    role="main",
    at="2026-11-24T10:00:00.000Z",
    key=None,
    tags=(Tag("team", "web", "key"),),
    client="127.0.0.1",
    dialect="openai.chat",
    name_asked="sonnet",
    resolved_by="alias",
    trace=(),
    provider="up",
    model="claude",
    outcome="ok",
    status=200,
    stream=True,
    usage={"input_tokens": 7},
    usage_source="reported",
    cost_usd=None,
    cost_state="unknown",
    first_ms=12,
    duration_ms=34,
    losses=(),
)


@dataclass
class FakePrograms:
    """Implements `Programs` from memory, and remembers what it was asked."""

    asked: list[object] = field(default_factory=list)
    models_known: Sequence[ModelLine] = ()
    keys: Sequence[KeyRecord] = ()
    page: RequestsPage = RequestsPage(items=(ROW,), next="0196")  # noqa: RUF009 - a frozen value
    refusal: Refused | None = None
    checked: Checked = Checked(file="relay.toml", providers=1)  # noqa: RUF009 - a frozen value
    reloaded: Reloaded = Reloaded(file="relay.toml", is_changed=True)  # noqa: RUF009 - a frozen value

    def now_ms(self) -> int:
        return NOW_MS

    def settings(self, file: Path | None, flags: Mapping[str, Mapping[str, object]]) -> Settings:
        self.asked.append((file, flags))
        if self.refusal is not None:
            raise self.refusal
        return Settings(server=Server())

    def serve(
        self, settings: Settings, *, insecure: bool, watch: bool, started: Callable[[ServerStarted], None]
    ) -> None:
        self.asked.append((insecure, watch))
        started(STARTED)

    def check_configuration(self, file: Path | None) -> Checked:
        self.asked.append(file)
        return self.checked

    def reload_configuration(self, file: Path | None) -> Reloaded:
        self.asked.append(file)
        return self.reloaded

    def demo(self, settings: Settings, *, started: Callable[[ServerStarted], None]) -> None:
        started(STARTED)

    def import_overrides(self, file: Path) -> ImportedOverrides:
        self.asked.append(file)
        return ImportedOverrides(toml='[overrides."openai/a"]\ndisabled = true\n', remarks=("no price",))

    def prices(self, settings: Settings) -> PricePrograms:
        raise Refused("no prices here")

    def models(self, settings: Settings) -> Sequence[ModelLine]:
        return self.models_known

    def explain(self, settings: Settings, name: str) -> ExplainedName:
        found = name == "sonnet"
        return ExplainedName(
            name=name,
            resolved_by="alias" if found else "",
            targets=("up/claude",) if found else (),
            tags=(),
            trace=(ExplainedStep(step="alias", name=name, found="up/claude" if found else ""),),
            closest=() if found else ("sonnet",),
        )

    def requests(self, settings: Settings, query: RequestsQuery) -> RequestsPage:
        self.asked.append(query)
        return self.page

    def usage_totals(self, settings: Settings, since_ms: int) -> Sequence[ModelTotals]:
        self.asked.append(since_ms)
        return (
            ModelTotals(
                provider="up",
                model="claude",
                requests=2,
                attempts=3,
                errors=1,
                input_tokens=None,
                output_tokens=9,
                unreported=1,
            ),
        )

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
        self.asked.append((name, tuple(tags), tuple(models), expires_ms, is_admin))
        return "lr_the-key"

    def list_keys(self, settings: Settings) -> Sequence[KeyRecord]:
        return self.keys

    def revoke_key(self, settings: Settings, name: str) -> None:
        raise Refused(f"key {name!r} not found", NOT_FOUND)


def call(programs: Programs, *arguments: str) -> int:
    return run(lambda: programs, arguments)
