"""What a newer list changes: told move by move, wild ones kept apart, the past left as it was."""

from relay.domain.pricing import Exact, Period, PriceBook, PriceSheet, Rate, Rule, quote
from relay.domain.pricing.changes import PriceChange, changes, taken
from relay.domain.usage import Usage

NOW_MS = 1_795_176_000_000
USD = 10**12
MILLION = Usage(input_tokens=1_000_000)


def rates(**usd: str) -> dict[str, Rate]:
    return {name: Rate.of(text) for name, text in usd.items()}


def book(*sheets: PriceSheet) -> PriceBook:
    return PriceBook(sheets={"openai": sheets}, as_of="2026-11-22", sources=("a list",))


def sheet(name: str = "m", *rules: Rule, **usd: str) -> PriceSheet:
    return PriceSheet(id=name, rules=rules or (Rule(rates=rates(**usd)),))


def told(found: tuple[PriceChange, ...]) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    return [
        (change.model, change.sort, [(move.rate, move.before, move.after) for move in change.moves])
        for change in found
    ]


def cost(prices: PriceBook, at_ms: int, model: str = "m", **context: str) -> int | None:
    return quote(prices.find("openai", model), MILLION, at_ms, context).amount_pusd


def test_equal_prices_are_no_change() -> None:
    dated = sheet("m", Rule(rates=rates(input="1")), Rule(rates=rates(input="2"), period=Period(from_ms=5)))
    assert changes(book(dated), book(sheet(input="2.0")), NOW_MS) == ()


def test_changes_are_told_by_model_and_rate() -> None:
    current = book(sheet("a", input="1", output="2"), sheet("gone", input="1"))
    newer = book(sheet("b", input="1"), sheet("a", input="1.5", output="2"))
    assert told(changes(current, newer, NOW_MS)) == [
        ("a", "changed", [("input", "1", "1.5")]),
        ("b", "new", []),
        ("gone", "gone", []),
    ]


def test_a_provider_that_the_list_lacks_is_left_alone() -> None:
    assert changes(book(sheet(input="1")), PriceBook(), NOW_MS) == ()


def test_more_than_threefold_is_quarantined_in_both_directions_and_threefold_is_not() -> None:
    sorts = {
        (before, after): changes(book(sheet(input=before)), book(sheet(input=after)), NOW_MS)[0].sort
        for before, after in (
            ("1", "3"),
            ("1", "3.000001"),
            ("3", "1"),
            ("3", "0.999999"),
            ("0.1", "0"),
            ("0", "1"),
        )
    }
    assert list(sorts.values()) == [
        "changed",
        "quarantined",
        "changed",
        "quarantined",
        "quarantined",
        "quarantined",
    ]


def test_a_price_that_becomes_free_is_quarantined() -> None:
    found = changes(book(sheet(input="1")), book(PriceSheet(id="m", is_free=True)), NOW_MS)
    assert [change.sort for change in found] == ["quarantined"]


def test_a_model_that_an_alias_covers_is_compared_with_what_it_costs_now() -> None:
    current = book(PriceSheet(id="m", dated=("m",), rules=(Rule(rates=rates(input="1")),)))
    assert changes(current, book(sheet("m-2026-01-01", input="1"), sheet(input="1")), NOW_MS) == ()
    found = changes(current, book(sheet("m-2026-01-01", input="9")), NOW_MS)
    assert ("m-2026-01-01", "quarantined") in [(change.model, change.sort) for change in found]


def test_a_price_to_come_is_a_change() -> None:
    later = NOW_MS + 1
    newer = book(
        sheet("m", Rule(rates=rates(input="1")), Rule(rates=rates(input="2"), period=Period(from_ms=later)))
    )
    found = changes(book(sheet(input="1")), newer, NOW_MS)
    assert told(found) == [("m", "changed", [("input", "1", "2")])]
    assert cost(taken(PriceBook(), found, newer, NOW_MS), later) == 2 * USD


def test_an_undated_price_begins_when_it_is_taken_and_keeps_what_it_does_not_speak_of() -> None:
    current = book(
        PriceSheet(
            id="m",
            ids=("alias",),
            rules=(
                Rule(rates=rates(input="1", output="4")),
                Rule(rates=rates(input="0.5"), when=(("service_tier", "flex"),)),
                Rule(rates=rates(input="0.25"), when=(("processing", "batch"),)),
                Rule(rates=rates(input="3"), period=Period(hours=((0, 1440),), weekdays=frozenset({7}))),
            ),
        )
    )
    flex = Rule(rates=rates(input="1"), when=(("service_tier", "flex"),))
    newer = book(sheet("m", Rule(rates=rates(input="2")), flex))
    after = taken(PriceBook(), changes(current, newer, NOW_MS), newer, NOW_MS)
    assert [cost(after, when, "alias") for when in (NOW_MS - 1, NOW_MS)] == [USD, 2 * USD]
    assert [cost(after, when, service_tier="flex") for when in (NOW_MS - 1, NOW_MS)] == [USD // 2, USD]
    assert cost(after, NOW_MS, processing="batch") == USD // 4
    week = [cost(after, NOW_MS + day * 86_400_000) for day in range(7)]  # from a Friday on
    assert week == [2 * USD, 2 * USD, 3 * USD, 2 * USD, 2 * USD, 2 * USD, 2 * USD]
    both = quote(after.find("openai", "m"), Usage(output_tokens=1_000_000), NOW_MS)
    assert both.amount_pusd == 4 * USD


def test_a_list_with_dates_takes_the_place_of_what_was_there() -> None:
    newer = book(
        sheet("m", Rule(rates=rates(input="2")), Rule(rates=rates(input="3"), period=Period(from_ms=NOW_MS)))
    )
    after = taken(PriceBook(), changes(book(sheet(input="1.5")), newer, NOW_MS), newer, NOW_MS)
    assert [cost(after, when) for when in (NOW_MS - 1, NOW_MS)] == [2 * USD, 3 * USD]


def test_only_what_was_accepted_is_taken_over_what_was_taken_before() -> None:
    current, newer = book(sheet("a", input="1")), book(sheet("a", input="2"), sheet("b", input="1"))
    found = changes(current, newer, NOW_MS)
    layer = book(sheet("c", input="7"))
    after = taken(layer, [change for change in found if change.model == "b"], newer, NOW_MS)
    assert {one.id for one in after.sheets["openai"]} == {"b", "c"}


def test_a_name_that_two_sheets_claim_stays_with_the_one_whose_id_it_is() -> None:
    current = book(PriceSheet(id="a", ids=("b",), rules=(Rule(rates=rates(input="1")),)))
    newer = book(sheet("a", input="2"), sheet("b", input="3"))
    after = taken(PriceBook(), changes(current, newer, NOW_MS), newer, NOW_MS)
    assert [one.ids for one in after.sheets["openai"]] == [(), ()]
    assert cost(after, NOW_MS, "b") == 3 * USD


def test_a_factor_is_compared_too() -> None:
    discount = Rule(rates={}, factor=Exact.of("0.9"))
    newer = book(sheet("m", Rule(rates=rates(input="1")), discount))
    assert told(changes(book(sheet(input="1")), newer, NOW_MS)) == [("m", "changed", [("factor", "", "0.9")])]
