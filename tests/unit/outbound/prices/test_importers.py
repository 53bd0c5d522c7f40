"""Other lists of prices become books of ours: exact numbers, sure names, remarks on what has no place."""

import json
from typing import Any

import pytest

from relay.adapters.outbound.prices.importers import Imported, ListUnreadable, imported
from relay.adapters.outbound.prices.table import read_table, time_text, write_table
from relay.domain.money import usd_text
from relay.domain.pricing import PriceSheet, quote
from relay.domain.usage import Usage

TODAY = "2026-11-22"
SATURDAY_MS, MONDAY_MS = 1_795_226_400_000, 1_795_399_200_000  # 2026-11-21 and -23 at 02:00 UTC


def read(document: object) -> Imported:
    return imported(json.dumps(document).encode(), TODAY)


def sheet(found: Imported, kind: str, model: str) -> PriceSheet:
    one = found.book.find(kind, model)
    assert one is not None, found.remarks
    return one


def standard(one: PriceSheet) -> dict[str, str]:
    return {name: str(rate.base) for name, rate in one.rules[0].rates.items()}


def genai(*models: dict[str, Any], provider: str = "openai") -> Imported:
    return read([{"id": provider, "pricing_urls": ["https://example.com"], "models": models}])


def model(name: str, prices: object, **members: object) -> dict[str, Any]:
    return {"id": name, "match": {"equals": name}, "prices": prices} | members


def test_genai_prices_are_read_with_their_steps_dates_and_tiers() -> None:
    tiers = {"base": "1.25", "tiers": [{"start": 200000, "price": "2.5"}]}
    found = genai(
        model(
            "m",
            [
                {"prices": {"input_mtok": tiers, "output_mtok": 10}},
                {
                    "constraint": {"start_date": "2026-08-21"},
                    "prices": {"input_mtok": 0.1, "web_searches_kcount": "10"},
                },
            ],
            price_variants=[
                {"when": {"service_tier": "default"}, "prices": {}},
                {"when": {"service_tier": "flex"}, "prices": {"input_mtok": "0.05", "output_mtok": None}},
            ],
        )
    )
    one = sheet(found, "openai", "m")
    first, second, flex = one.rules
    assert (str(first.rates["input"].base), first.rates["input"].over[0][0]) == ("1.25", 200000)
    assert time_text(second.period.from_ms or 0) == "2026-08-21"
    assert {name: str(rate.base) for name, rate in second.rates.items()} == {
        "input": "0.1",
        "web_search": "10",
    }
    assert (flex.when, list(flex.rates)) == ((("service_tier", "flex"),), ["input"])
    assert (one.source, one.as_of) == ("https://example.com", TODAY)


def test_genai_prices_hours_are_put_into_utc() -> None:
    night = {"start_time": "23:30:00Z", "end_time": "08:00:00+08:00"}
    listed = [
        {"prices": {"input_mtok": "2"}},
        {"constraint": night, "prices": {"input_mtok": "1"}},
    ]
    assert sheet(genai(model("m", listed)), "openai", "m").rules[1].period.hours == ((1410, 1440),)


@pytest.mark.parametrize(
    ("match", "priced", "unpriced"),
    [
        ({"equals": "alias"}, ["m", "alias"], ["alias-2026-01-01"]),
        ({"starts_with": "claude-x"}, ["claude-x", "claude-x-20260101"], ["claude-x-zzz", "claude-x-5"]),
        ({"contains": "gemma"}, ["gemma", "gemma-001"], ["my-gemma", "gemma-banana"]),
        (
            {"regex": r"^gpt-5\.6-\d{4}-\d{2}-\d{2}$"},
            ["gpt-5.6-2026-01-01"],
            ["gpt-5.6-x", "gpt-5x6-2026-01-01"],
        ),
        ({"regex": r"^claude-o[-@]\d{8}$"}, ["claude-o-20260101", "claude-o@20260101"], ["claude-o-x"]),
        ({"regex": r"^(?!.*-tts)"}, ["m"], ["anything"]),
        (
            {"or": [{"equals": "a"}, {"and": [{"starts_with": "b"}, {"regex": "^(?!.*-tts)"}]}]},
            ["a", "b-latest"],
            ["b-tts"],
        ),
    ],
)
def test_loose_matches_become_sure_names(match: object, priced: list[str], unpriced: list[str]) -> None:
    found = genai(model("m", {"input_mtok": "1"}, match=match))
    assert [name for name in priced if found.book.find("openai", name) is None] == []
    assert [name for name in unpriced if found.book.find("openai", name) is not None] == []


def test_an_empty_table_is_no_price_but_for_what_openrouter_calls_free() -> None:
    assert genai(model("m:free", {})).book.sheets == {}
    found = genai(model("m", {}), model("m:free", {}), provider="openrouter")
    assert sheet(found, "openrouter", "m:free").is_free
    assert found.book.find("openrouter", "m") is None
    assert found.remarks == ("openrouter/m: has no price",)


def test_tokens_that_nothing_here_counts_leave_the_model_out() -> None:
    found = genai(model("m", {"input_mtok": "1", "output_video_mtok": "9"}))
    assert found.book.sheets == {}
    assert "output_video_mtok" in found.remarks[0]


def test_of_two_models_that_claim_a_name_the_first_has_it() -> None:
    found = genai(
        model("a", {"input_mtok": "1"}, match={"or": [{"equals": "x"}, {"equals": "b"}]}),
        model("b", {"input_mtok": "2"}),
        model("c", {"input_mtok": "3"}, match={"equals": "X"}),
    )
    assert sheet(found, "openai", "x").id == "a"
    assert sheet(found, "openai", "b").id == "a"
    assert sheet(found, "openai", "c").ids == ()
    read_table(write_table(found.book))  # which refuses a name of two meanings


def test_litellms_numbers_are_exact_and_its_zeros_no_price() -> None:
    found = read(
        {
            "sample_spec": {"litellm_provider": "one of …"},
            "azure/m": {"litellm_provider": "azure", "input_cost_per_token": 1},
            "deepinfra/org/m": {
                "litellm_provider": "deepinfra",
                "input_cost_per_token": 1.5e-07,
                "output_cost_per_token": 6e-07,
                "cache_read_input_token_cost": 0.0,
                "input_cost_per_token_above_200k_tokens": 3e-07,
                "output_cost_per_token_flex": 3e-07,
                "input_cost_per_token_batches": 7.5e-08,
                "cache_creation_input_token_cost_above_1hr": 3e-07,
                "supports_vision": True,
            },
            "deepinfra/free": {"litellm_provider": "deepinfra", "input_cost_per_token": 0},
        }
    )
    one = sheet(found, "deepinfra", "org/m")
    assert standard(one) == {"input": "0.15", "output": "0.6", "cache_write_1h": "0.3"}
    assert [(bound, str(step)) for bound, step in one.rules[0].rates["input"].over] == [(200000, "0.3")]
    assert {rule.when: list(rule.rates) for rule in one.rules[1:]} == {
        (("service_tier", "flex"),): ["output"],
        (("processing", "batch"),): ["input"],
    }
    assert found.book.find("deepinfra", "free") is None
    assert list(found.book.sheets) == ["deepinfra"]
    assert one.source


def test_litellms_searches_seconds_and_off_peak_hours_are_read() -> None:
    sizes = {"search_context_size_low": 0.005, "search_context_size_medium": 0.008}
    found = read(
        {
            "perplexity/sonar": {
                "litellm_provider": "perplexity",
                "input_cost_per_token": 1e-06,
                "search_context_cost_per_query": sizes,
            },
            "whisper": {"litellm_provider": "openai", "input_cost_per_second": 5.8333e-05},
            "deepseek/flash": {
                "litellm_provider": "deepseek",
                "input_cost_per_token": 3e-07,
                "off_peak_pricing": {
                    "input_cost_per_token": 1.5e-07,
                    "windows": [
                        {"hours_utc": ["00:00-01:00", "10:00-00:00"], "weekdays": [1, 2, 3, 4, 5]},
                        {"hours_utc": "00:00-00:00", "weekdays": [6, 7]},
                    ],
                },
            },
        }
    )
    assert standard(sheet(found, "perplexity", "sonar")) == {"input": "1", "request": "8"}
    low = quote(sheet(found, "perplexity", "sonar"), Usage(), 0, {"search_context_size": "low"})
    assert usd_text(low.amount_pusd or 0) == "0.005"
    assert standard(sheet(found, "openai", "whisper")) == {"audio_hour": "0.21"}
    flash = sheet(found, "deepseek", "flash")
    at = {hour: MONDAY_MS + hour * 3_600_000 for hour in (-2, 0, 8)}  # 00:00, 02:00 and 10:00
    amounts = [
        quote(flash, Usage(input_tokens=1_000_000), when).amount_pusd for when in (*at.values(), SATURDAY_MS)
    ]
    assert [usd_text(amount or 0) for amount in amounts] == ["0.15", "0.3", "0.15", "0.15"]
    read_table(write_table(found.book))


def test_openrouters_list_is_read_per_token() -> None:
    found = read(
        {
            "data": [
                {
                    "id": "a/m",
                    "pricing": {
                        "prompt": "0.00000045",
                        "completion": "0.0000009",
                        "request": "0",
                        "web_search": "0.004",
                        "input_cache_read": "0.000000000000000001",
                    },
                },
                {"id": "a/m:free", "pricing": {"prompt": "0", "completion": "0"}},
                {"id": "a/zero", "pricing": {"prompt": "0", "completion": "0"}},
                {"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "-1"}},
                {"id": "a/odd", "pricing": {"prompt": "cheap"}},
            ]
        }
    )
    assert standard(sheet(found, "openrouter", "a/m")) == {
        "input": "0.45",
        "output": "0.9",
        "cache_read": "0.000000000001",
        "web_search": "4",
    }
    assert sheet(found, "openrouter", "a/m:free").is_free
    left_out = [remark.partition(":")[0] for remark in found.remarks]
    assert left_out == ["openrouter/a/zero", "openrouter/openrouter/auto", "openrouter/a/odd"]


def test_a_table_of_our_own_is_a_list_too() -> None:
    found = genai(model("m", {"input_mtok": "1"}))
    assert imported(b"\xef\xbb\xbf" + write_table(found.book), "2000-01-01").book.sheets == found.book.sheets


def test_the_same_list_gives_the_same_bytes() -> None:
    models = model("b", {"input_mtok": "1"}), model("a", {"input_mtok": "1"})
    assert write_table(genai(*models).book) == write_table(genai(*reversed(models)).book)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[1]",
        b"[" * 100_000,
        b'{"data": [{"pricing": {}}]}',
        b'{"data": 1}',
        b'{"format": "llm-relay-prices/9"}',
        b"{}",
        b'"x"',
    ],
)
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(ListUnreadable):
        imported(data, TODAY)


@pytest.mark.parametrize("number", ["1e400", "1e-400", '"NaN"', "-1", '"1e9999999999"'])
def test_a_mad_number_leaves_its_model_out(number: str) -> None:
    data = f'[{{"id":"openai","models":[{{"id":"m","match":{{}},"prices":{{"input_mtok":{number}}}}}]}}]'
    found = imported(data.encode(), TODAY)
    assert found.book.sheets == {}
    assert len(found.remarks) == 1
