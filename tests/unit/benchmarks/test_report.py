"""The results are kept as ratios, each with its day, and the page is nothing but them."""

import json

from benchmarks.figures import FIGURES, START
from benchmarks.outcomes import Outcome
from benchmarks.report import MARKER, NOTHING, Results, from_json, page, terminal, to_json
from benchmarks.scenarios import SCENARIOS
from tests.architecture.repository import ROOT


def measured(name: str, value: float | None, *, rounds: int = 3, spoiled: int = 0) -> Outcome:
    return Outcome(name=name, value=value, low=value or 0, high=value or 0, rounds=rounds, spoiled=spoiled)


RESULTS = NOTHING.updated(
    [measured("request-nginx", 6.5), measured("chunk-nginx", 3.25)], "2026-11-24", {"nginx": "1.22.1"}
)


def row(markdown: str, name: str) -> list[str]:
    title = next(figure.title for figure in FIGURES if figure.name == name)
    line = next(line for line in markdown.splitlines() if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_results_survive_being_written_and_read() -> None:
    assert from_json(to_json(RESULTS)) == RESULTS


def test_a_figure_that_is_no_longer_measured_is_forgotten() -> None:
    document = json.loads(to_json(RESULTS))
    document["figures"][0]["name"] = "of-the-past"
    assert set(from_json(json.dumps(document)).outcomes) == {"chunk-nginx"}


def test_what_was_not_measured_again_keeps_its_day() -> None:
    later = RESULTS.updated([measured("chunk-nginx", 2.0)], "2027-01-01", {})
    assert later.days == {"request-nginx": "2026-11-24", "chunk-nginx": "2027-01-01"}
    assert later.outcomes["chunk-nginx"].value == 2.0
    assert later.outcomes["request-nginx"].value == 6.5


def test_the_page_tells_limit_median_spread_rounds_day_and_verdict() -> None:
    markdown = page(RESULTS)
    assert row(markdown, "request-nginx")[1:] == [
        *("≤ 7 x", "≤ 4 x", "6.50 x", "6.50 to 6.50", "3", "2026-11-24", "pass")
    ]
    assert row(markdown, "chunk-nginx")[-1] == "fail"
    assert row(markdown, "litellm-request")[1:] == ["≥ 40 x", "≥ 80 x", "", "", "", "not yet", ""]


def test_the_page_tells_of_rounds_with_wrong_answers() -> None:
    results = NOTHING.updated([measured("request-nginx", None, rounds=0, spoiled=3)], "2026-11-24", {})
    cells = row(page(results), "request-nginx")
    assert cells[3] == ""
    assert cells[5] == "0 (+3 wrong)"
    assert cells[-1] == "wrong answers"


def test_the_page_tells_of_every_scenario() -> None:
    lines = page(NOTHING).splitlines()
    for name, title in ((START, "a relay is started"), *((one.name, one.title) for one in SCENARIOS)):
        assert any(line.startswith(f"| `{name}` | {title}") for line in lines), name


def test_the_terminal_shows_only_what_was_measured() -> None:
    shown = terminal([measured("request-nginx", 8.0)])
    assert " ".join(shown.splitlines()[1].split()) == "request-nginx ≤ 7 x 8.00 x 8.00 to 8.00 3 fail"
    assert len(shown.splitlines()) == 2


def stored() -> Results:
    return from_json((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))


def test_the_page_in_the_repository_is_that_of_the_results_beside_it() -> None:
    written = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert written.startswith(MARKER)
    is_current = written == page(stored())
    assert is_current, "run `uv run python -m benchmarks --page`"


def test_the_results_in_the_repository_have_every_figure_that_has_a_limit() -> None:
    promised = {figure.name for figure in FIGURES if figure.must is not None}
    assert promised <= set(stored().outcomes)
