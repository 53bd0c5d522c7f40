"""The commands' texts and exit codes, with programs that answer from memory."""

import json

import pytest

from relay.adapters.inbound.cli.programs import ModelLine
from relay.adapters.inbound.cli.refusal import BAD_CONFIGURATION, Refused
from relay.application.report_usage import RequestsQuery
from relay.domain.keys import KeyRecord
from tests.unit.cli.fake_programs import NOW_MS, FakePrograms, call


@pytest.fixture
def programs() -> FakePrograms:
    return FakePrograms()


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


def test_what_the_operator_says_of_a_model_stands_beside_what_its_provider_said(
    programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.models_known = (
        ModelLine(
            name="up/claude",
            kind="model",
            context_tokens=9000,
            capabilities=("completion", "tools"),
            base_context_tokens=0,
            base_capabilities=("completion",),
        ),
    )
    assert call(programs, "models") == 0
    [line] = capsys.readouterr().out.splitlines()[1:]
    assert line.split("  ")[-2:] == ["9000 (was -)", "completion tools (was completion)"]
    assert call(programs, "models", "--json") == 0
    assert json.loads(capsys.readouterr().out)["items"][0]["base_context_tokens"] == 0


def test_a_mistyped_command_is_wrong_usage_and_help_lists_all(
    programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(programs, "serv") == 2
    assert call(programs, "--help") == 0
    out = capsys.readouterr().out
    for name in ("serve", "demo", "models", "explain", "usage", "keys"):
        assert name in out
