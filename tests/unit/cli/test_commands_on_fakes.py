"""The commands' texts and exit codes, with programs that answer from memory."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from relay.adapters.inbound.cli.main import run
from relay.adapters.inbound.cli.programs import (
    BAD_CONFIGURATION,
    NOT_FOUND,
    Checked,
    ExplainedName,
    ExplainedStep,
    ModelLine,
    ProviderLine,
    Refused,
    Reloaded,
    ServerStarted,
)
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


@pytest.fixture
def programs() -> FakePrograms:
    return FakePrograms()


def call(programs: FakePrograms, *arguments: str) -> int:
    return run(lambda: programs, arguments)


def test_serve_tells_where_it_answers_and_what_is_missing(
    programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(programs, "serve", "--port", "0", "--insecure-no-auth") == 0
    out = capsys.readouterr().out
    assert "http://127.0.0.1:11434" in out
    assert "no relay.toml found, using defaults; data in relay.db" in out
    assert "ready    home" in out
    assert "no key   openai" in out
    assert "relay keys create NAME" in out
    assert programs.asked == [(None, {"server": {"port": 0}}), (True, False)]


def test_the_demo_says_that_its_model_is_a_toy(
    programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(programs, "demo") == 0
    assert "a toy of 135 million parameters" in capsys.readouterr().out


def test_a_key_alone_is_on_standard_output(
    programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(programs, "keys", "create", "web", "--tag", "team:web", "--expires", "2d") == 0
    captured = capsys.readouterr()
    assert captured.out == "lr_the-key\n"
    assert "shown only now" in captured.err
    assert programs.asked[-1] == ("web", ("team:web",), (), NOW_MS + 2 * 86_400_000, False)


def test_an_admin_key_is_asked_for_by_name(programs: FakePrograms) -> None:
    assert call(programs, "keys", "create", "ops", "--admin") == 0
    assert programs.asked[-1] == ("ops", (), (), 0, True)


@pytest.mark.parametrize("span", ["soon", "0d", "-1d", "9999999d"])
def test_an_expiry_that_is_no_number_of_days_is_wrong_usage(programs: FakePrograms, span: str) -> None:
    assert call(programs, "keys", "create", "web", f"--expires={span}") == 2


def test_keys_are_listed_with_their_state_and_never_their_digest(
    programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.keys = (
        KeyRecord(public_id="aaaa", name="live", digest=b"digest", created_ms=NOW_MS, is_admin=True),
        KeyRecord(public_id="bbbb", name="gone", digest=b"digest", revoked_ms=1),
        KeyRecord(public_id="cccc", name="late", digest=b"digest", expires_ms=NOW_MS),
    )
    assert call(programs, "keys", "list", "--json") == 0
    out = capsys.readouterr().out
    items = json.loads(out)["items"]
    assert [(item["name"], item["state"]) for item in items] == [
        ("live", "live"),
        ("gone", "revoked"),
        ("late", "expired"),
    ]
    assert [item["admin"] for item in items] == [True, False, False]
    assert items[0]["created"] == "2027-01-15T08:00:00Z"
    assert "digest" not in out
    assert call(programs, "keys", "list") == 0
    assert "revoked" in capsys.readouterr().out


def test_a_refusal_has_its_words_on_standard_error_and_its_own_exit_code(
    programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(programs, "keys", "revoke", "nobody") == 3
    assert capsys.readouterr().err == "Error: key 'nobody' not found\n"
    programs.refusal = Refused("relay.toml:2: no", BAD_CONFIGURATION)
    assert call(programs, "models") == 4


def test_an_explanation_shows_each_step_and_an_unknown_name_is_exit_three(
    programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(programs, "explain", "sonnet") == 0
    assert "sonnet is served by up/claude" in capsys.readouterr().out
    assert call(programs, "explain", "sonet") == 3
    assert "Closest: sonnet" in capsys.readouterr().err
    assert call(programs, "explain", "sonnet", "--json") == 0
    assert json.loads(capsys.readouterr().out)["targets"] == ["up/claude"]


def test_requests_are_printed_as_one_json_document_with_the_cursor(
    programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(programs, "usage", "requests", "--json", "--limit", "2", "--failed", "--last", "1h") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["next"] == "0196"
    assert document["items"][0]["tags"] == [{"key": "team", "value": "web", "source": "key"}]
    assert document["items"][0]["cost_usd"] is None
    assert programs.asked[-1] == RequestsQuery(limit=2, failed=True, since_ms=NOW_MS - 3_600_000)


def test_an_unknown_count_is_not_printed_as_zero(
    programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(programs, "usage") == 0
    header, row = capsys.readouterr().out.splitlines()
    assert dict(zip(header.split("  "), row.split(), strict=False))["model"] == "up/claude"
    assert row.split() == ["up/claude", "2", "3", "1", "-", "9", "1"]
    assert call(programs, "usage", "requests") == 0
    assert "team:web" in capsys.readouterr().out


@pytest.mark.parametrize("span", ["x", "5", "0h"])
def test_a_span_that_is_none_is_wrong_usage(programs: FakePrograms, span: str) -> None:
    assert call(programs, "usage", "--last", span) == 2


def test_models_are_filtered_by_the_query(programs: FakePrograms, capsys: pytest.CaptureFixture[str]) -> None:
    programs.models_known = (
        ModelLine(name="sonnet", kind="alias", leads_to="up/claude"),
        ModelLine(
            name="up/claude", kind="model", context_tokens=200_000, capabilities=("completion", "tools")
        ),
    )
    assert call(programs, "models", "CLAU") == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["up/claude  model  200000   completion tools"]
    assert call(programs, "models", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["items"]) == 2
    assert call(programs, "models", "nothing") == 0
    assert "no models match 'nothing'" in capsys.readouterr().err


def test_a_mistyped_command_is_wrong_usage_and_help_lists_all(
    programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(programs, "serv") == 2
    assert call(programs, "--help") == 0
    out = capsys.readouterr().out
    for name in ("serve", "demo", "models", "explain", "usage", "keys"):
        assert name in out
