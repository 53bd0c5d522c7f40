"""The price table as a file: it reads back as it was written, and refuses what could misprice."""

import json
from typing import Any

import pytest

from relay.adapters.outbound.prices.table import TableInvalid, read_table, time_text, unix_ms, write_table

SHEET: dict[str, Any] = {
    "id": "m",
    "ids": ["m-2026-01-01"],
    "dated": ["m"],
    "rules": [
        {"rates": {"input": {"base": "2", "over": [[200000, "4"]]}, "cache_read": "0.2", "output": "8"}},
        {"from": "2026-08-21", "hours_utc": ["22:30-04:00"], "weekdays": [1, 5], "rates": {"input": "1"}},
        {"when": {"service_tier": "flex"}, "until": "2026-12-01T10:00:00Z", "rates": {"input": "0.5"}},
        {"when": {"inference_geo": "us"}, "factor": "1.1"},
    ],
    "source": "https://example.com/prices",
    "as_of": "2026-11-22",
}


def table(*models: Any, **members: Any) -> bytes:
    whole = {
        "format": "llm-relay-prices/1",
        "currency": "USD",
        "as_of": "2026-11-22",
        "providers": {"openai": list(models)},
    }
    return json.dumps(whole | members).encode()


def changed(**members: Any) -> dict[str, Any]:
    return SHEET | members


def priced(**rates: Any) -> bytes:
    return table(changed(rules=[{"rates": rates}]))


def test_a_table_that_was_written_reads_as_the_same_book_and_the_same_bytes() -> None:
    book = read_table(table(SHEET, changed(id="n", ids=[], dated=[])))
    written = write_table(book)
    again = read_table(written)
    assert again.sheets == book.sheets
    assert write_table(again) == written
    assert again.version != book.version  # the version names bytes
    assert len(again.version) == 16


def test_the_order_of_the_models_makes_no_difference_to_what_is_written() -> None:
    other = changed(id="n", ids=[], dated=[])
    assert write_table(read_table(table(SHEET, other))) == write_table(read_table(table(other, SHEET)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "truncated"),
        (b"\xff\xfe", ""),
        (b"[" * 100_000, ""),
        (table(SHEET, format="llm-relay-prices/2"), "format"),
        (table(SHEET, currency="EUR"), "USD"),
        (table(SHEET, surprise=1), "surprise"),
        (table(changed(surprise=1)), "surprise"),
        (priced(input=2.5), "Expected `str | object`, got `float`"),
        (priced(input="2,5"), "openai/m: input: is no plain decimal number: '2,5'"),
        (priced(input="-1"), "no plain decimal"),
        (priced(input="1e-6"), "no plain decimal"),
        (priced(input="NaN"), "no plain decimal"),
        (priced(input="٣"), "no plain decimal"),
        (priced(inputs="1"), "openai/m: inputs: there is no such rate"),
        (priced(input={"base": "1", "over": [[200, "2"], [100, "3"]]}), "steps do not ascend"),
        (priced(input={"base": "1", "over": [[200, "2"], [200, "3"]]}), "steps do not ascend"),
        (priced(input="1", input_audio="2", cache_read="0.1"), "both cache_read and input_audio"),
        (priced(input="0", output="0"), "called free"),
        (table(changed(rules=[{"when": {"service_tier": "flex"}}])), "either rates or a factor"),
        (table(changed(rules=[{"factor": "0"}])), "factor"),
        (table(changed(rules=[{"weekdays": [0], "rates": {"input": "1"}}])), "weekdays"),
        (table(changed(rules=[{"hours_utc": ["9-10"], "rates": {"input": "1"}}])), "no time of day"),
        (table(changed(rules=[{"hours_utc": ["09:00-09:00"], "rates": {"input": "1"}}])), "no hours"),
        (table(changed(rules=[{"from": "soon", "rates": {"input": "1"}}])), "soon"),
        (table(SHEET, changed(ids=[], dated=[])), "m means two models"),
        (table(SHEET, changed(id="n", ids=["M-2026-01-01:latest"], dated=[])), "means two models"),
        (table(SHEET, changed(id="n", ids=[])), "means two models"),
    ],
)
def test_a_table_that_could_misprice_is_refused_with_a_reason(data: bytes, words: str) -> None:
    with pytest.raises(TableInvalid) as refused:
        read_table(data)
    assert words in str(refused.value)


@pytest.mark.parametrize("text", ["2026-08-21", "2026-08-21T10:00:00Z", "2026-08-21T10:00:00.250Z"])
def test_times_read_back_as_they_were_written(text: str) -> None:
    assert time_text(unix_ms(text)) == text


def test_a_time_with_an_offset_is_put_into_utc() -> None:
    assert time_text(unix_ms("2026-08-21T02:00:00+02:00")) == "2026-08-21"
