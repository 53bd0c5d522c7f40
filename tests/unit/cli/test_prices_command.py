"""`relay prices`, with the real prices of this machine: its texts, documents and exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from relay.adapters.inbound.cli.main import run
from relay.programs import programs

USAGE = '{"input_tokens": 272001, "cache_read_tokens": 200000, "cache_write_tokens": 40000, "output_tokens": 8000}'
AT = "2026-11-20T12:00:00Z"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prices(*arguments: str) -> int:
    return run(lambda: programs({}), ("prices", *arguments))


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def list_of(**models: dict[str, Any]) -> str:
    """LiteLLM's form, in a file."""
    path = Path("list.json")
    path.write_text(
        json.dumps({name: {"litellm_provider": "openai"} | model for name, model in models.items()})
    )
    return str(path)


def test_a_quote_is_a_document_whose_lines_sum_to_its_amount(capsys: pytest.CaptureFixture[str]) -> None:
    assert prices("quote", "openai/gpt-5.6-sol", "--usage", USAGE, "--at", AT, "--json") == 0
    told = document(capsys)
    assert (told["state"], told["amount_usd"], told["lower_bound_usd"]) == ("computed", "1.056008", None)
    assert told["lines"][0] == {
        "class": "cache_read_tokens",
        "count": 200000,
        "rate_usd": "0.8",
        "per": 1000000,
        "amount_usd": "0.16",
    }
    assert [line["class"] for line in told["lines"]] == [
        "cache_read_tokens",
        "cache_write_tokens",
        "input_tokens",
        "output_tokens",
    ]


@pytest.mark.parametrize(("name", "kind"), [("google", "gemini"), ("x-ai", "xai")])
def test_price_lists_names_of_providers_mean_our_kinds(
    name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = {"gemini": "gemini-2.5-pro", "xai": "grok-4.3"}[kind]
    told = []
    for provider in (name, kind):
        assert prices("quote", f"{provider}/{model}", "--usage", USAGE, "--at", AT, "--json") == 0
        told.append(document(capsys))
    assert told[0] == told[1]
    assert told[0]["state"] == "computed"


def test_a_configured_provider_is_priced_by_its_kind(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "relay.toml").write_text('[providers.work]\nkind = "openai"\napi_key = "x"\n')
    assert prices("quote", "work/gpt-4o", "--usage", '{"input_tokens": 1000, "output_tokens": 500}') == 0
    assert "work/gpt-4o: 0.0075 USD (computed)" in capsys.readouterr().out


def test_the_context_of_the_response_is_part_of_the_question(capsys: pytest.CaptureFixture[str]) -> None:
    flex = ("--context", '{"service_tier": "flex"}')
    usage = '{"input_tokens": 10000, "cache_read_tokens": 4000, "output_tokens": 2000}'
    assert prices("quote", "openai/gpt-5", "--usage", usage, *flex, "--at", AT, "--json") == 0
    assert document(capsys)["amount_usd"] == "0.014"


def test_what_is_unknown_is_null_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert prices("quote", "openai/no-such-model-7", "--usage", '{"input_tokens": 1}', "--json") == 0
    told = document(capsys)
    assert (told["state"], told["amount_usd"], told["lines"]) == ("unknown", None, [])
    assert told["reason"] == "no_price"
    assert (
        prices("quote", "groq/openai/gpt-oss-120b", "--usage", '{"input_tokens": 9, "code_executions": 2}')
        == 0
    )
    assert "at least 0.00000135 USD; no price for code_executions" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("quote", "gpt-5", "--usage", "{}"), 2, "PROVIDER/MODEL"),
        (("quote", "openai/gpt-5", "--usage", "["), 2, "--usage"),
        (("quote", "openai/gpt-5", "--usage", '{"input_tokens": 1.5}'), 2, "--usage"),
        (("quote", "openai/gpt-5", "--usage", '{"input_token": 1}'), 2, "Did you mean input_tokens?"),
        (("quote", "openai/gpt-5", "--usage", "{}", "--context", '{"a": 1}'), 2, "--context"),
        (("quote", "openai/gpt-5", "--usage", "{}", "--at", "yesterday"), 2, "--at yesterday"),
        (("show", "openai/gpt-five"), 3, "Closest: openai/gpt-"),
        (("show", "nobody"), 3, "relay prices show"),
        (("history", "openai/no-such-model-7"), 3, "no price of openai/no-such-model-7"),
        (("import", "missing.json"), 1, "missing.json cannot be read"),
    ],
)
def test_what_cannot_be_done_has_its_reason_and_exit_code(
    arguments: tuple[str, ...], exit_code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prices(*arguments) == exit_code
    assert words in capsys.readouterr().err


def test_prices_are_shown_with_their_origin_and_history(capsys: pytest.CaptureFixture[str]) -> None:
    assert prices("show", "--json") == 0
    assert document(capsys)["models"]["openai"] > 100
    assert prices("show", "anthropic", "--json") == 0
    assert any(row["model"] == "anthropic/claude-haiku-4-5" for row in document(capsys)["items"])
    assert prices("show", "openai/gpt-5.6-sol") == 0
    shown = capsys.readouterr()
    assert "input >272000" in shown.out
    assert "https://developers.openai.com" in shown.err
    assert prices("history", "openai/gpt-5.6-sol", "--json") == 0
    rows = document(capsys)["items"]
    assert {"from": "2026-08-21T00:00:00Z", "until": "", "case": "", "rate": "input", "usd": "4"} in rows


def test_a_check_tells_what_would_change_and_changes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = list_of(**{"gpt-4o": {"input_cost_per_token": 3e-6}, "gpt-new": {"input_cost_per_token": 1e-6}})
    assert prices("import", newer, "--check", "--json") == 6
    changes = [item for item in document(capsys)["items"] if item["change"] != "gone"]
    moved = {"rate": "input", "before": "2.5", "after": "3", "wild": False}
    assert changes == [
        {"model": "openai/gpt-4o", "change": "changed", "taken": False, "moves": [moved]},
        {"model": "openai/gpt-new", "change": "new", "taken": False, "moves": []},
    ]
    assert [path.name for path in here.iterdir()] == ["list.json"]


def test_a_taken_price_holds_from_now_and_leaves_the_past(capsys: pytest.CaptureFixture[str]) -> None:
    newer = list_of(**{"gpt-4o": {"input_cost_per_token": 3e-6}})
    assert prices("import", newer) == 0
    assert prices("import", newer, "--check") == 0
    capsys.readouterr()
    usage = '{"input_tokens": 1000000, "output_tokens": 100000}'
    for at, amount in ((AT, "3.5"), ("2999-01-01", "4")):
        assert prices("quote", "openai/gpt-4o-2024-08-06", "--usage", usage, "--at", at, "--json") == 0
        assert document(capsys)["amount_usd"] == amount


def test_a_wild_move_is_quarantined_until_it_is_accepted_by_name(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = list_of(**{"gpt-4o": {"input_cost_per_token": 7.6e-6}})
    assert prices("import", newer) == 6
    assert "quarantined" in capsys.readouterr().out
    assert not (here / "relay.prices.json").exists()
    assert prices("import", newer, "--accept", "openai/gpt-4") == 3
    assert prices("import", newer, "--accept", "openai/gpt-4o") == 0
    assert (here / "relay.prices.json").exists()


@pytest.mark.parametrize("content", ["", "{}", '{"a": {}}', "[1]", '{"format": "x"}', '{"data": 1}', "\x00"])
def test_a_file_that_is_no_list_of_prices_is_refused(
    content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("list.json").write_text(content)
    assert prices("import", "list.json") == 1
    assert "list.json: " in capsys.readouterr().err


def test_taken_prices_that_are_damaged_are_told_and_not_passed_over(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "relay.prices.json").write_text("{")
    assert prices("show") == 4
    assert "relay.prices.json" in capsys.readouterr().err


def test_the_operators_own_price_wins_and_no_list_touches_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "relay.toml").write_text('[overrides."openai/gpt-4o*"]\nprice = { input = "1" }\n')
    assert prices("import", list_of(**{"gpt-4o": {"input_cost_per_token": 3e-6}})) == 0
    capsys.readouterr()
    usage = '{"input_tokens": 1000000, "output_tokens": 100000}'
    for at in (AT, "2999-01-01"):
        assert prices("quote", "openai/gpt-4o", "--usage", usage, "--at", at, "--json") == 0
        told = document(capsys)
        assert told["amount_usd"] == "2"
        assert told["price_version"].count("+") == 2  # bundled, taken, own


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ('"1"', "dollars per million tokens"),
        ("{ input = 1.25 }", 'price: input: is not a string: write "1.25"'),
        ('{ inputs = "1" }', "price: inputs: there is no such rate"),
        ("{}", "says no price"),
    ],
)
def test_an_own_price_that_cannot_be_used_is_told(
    price: str, words: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "relay.toml").write_text(f'[overrides."openai/gpt-4o"]\nprice = {price}\n')
    assert prices("show") == 4
    assert words in capsys.readouterr().err


def test_a_free_model_is_shown_as_free(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "relay.toml").write_text('[overrides."ollama/*"]\nprice = { free = true }\n')
    assert prices("show", "ollama/llama3.2:3b") == 0
    assert capsys.readouterr().out == "free\n"
    assert prices("quote", "ollama/llama3.2:3b", "--usage", '{"input_tokens": 26}', "--json") == 0
    told = document(capsys)
    assert (told["state"], told["amount_usd"], told["lines"]) == ("configured_free", "0", [])
