"""Turns outcomes into `results.json`, into the page `docs/performance.md`, and into the table on the terminal."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.figures import FIGURES, START, TO_BEFORE, Figure
from benchmarks.outcomes import Outcome, verdict
from benchmarks.scenarios import SCENARIOS

MARKER = "<!-- written by `make bench` from benchmarks/results.json -->"

_HEAD = f"""{MARKER}

# Performance

What the relay costs, beside other gateways on the same core of the same machine. Only ratios are told, as
absolute times are the machine's. The relay runs as it ships: key check, ledger, access line, typed decoding.
Processor time is that of the gateway's whole process tree. A round asks every gateway in turn, in the other
order than the round before, and a figure is the median over the rounds of what each round gave. The load
generator checks each answer (status, text or every chunk in order, token count, end); a round with a wrong
answer does not count.
"""

_FOOT = """
## The gateways

- **nginx**: a proxy with `proxy_buffering off` and kept connections, which reads nothing of what it passes on:
  the floor.
- **Go gateway**: `benchmarks/gateway.go`, plain net/http, with key check, typed decoding and encoding of the
  request, and every answer and chunk decoded for its usage; no ledger and no log.
- **LiteLLM**: from its wheel, without a database, retries and logs, with prices given, on granian and uvloop.

The relay calls the mock as a provider of kind `openai-compatible`, whose chunks it decodes and encodes anew, and
whose whole answers it passes on as long as they need nothing set right; `relay-tap` calls it as kind `openai`, whose
bytes pass through. `relay-ollama` is asked by an Ollama client; `relay-anthropic` and `relay-gemini` call the mock as
these providers, for a client of OpenAI's chat. For 256 waiting requests and 1,000 open streams
`[server] max_in_flight` is 4096; it is 256 if unset. For TLS the relay trusts the certificate of the benchmarks, by
`benchmarks/lab_relay.py`.

## Measure it yourself

`make bench` needs `taskset`, a C compiler, nginx and Go (Debian: `gcc libc6-dev nginx-light golang-go`); what
is missing is skipped and said. It writes `benchmarks/results.json` and this page. Where other work goes on,
`nice -n -10 make bench` (as root) keeps it out of the latencies.

| command | what for |
|---|---|
| `make bench ROUNDS=9` | less chance in the figures |
| `make bench ONLY=requests,streams` | some scenarios; nothing is written |
| `make bench ARGS="--before DIR"` | another checkout of the relay beside this one, in the same rounds |
| `make bench ARGS="--litellm VENV"` | LiteLLM, too, from a virtual environment that has `litellm[proxy]` |
| `make bench ARGS=--compare` | fails when a figure is more than 5 % worse than `benchmarks/baseline.json`, and still is when measured again |
"""  # noqa: E501 - a table's row is one line


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Every figure that was measured, with the day of its measurement, and the versions of what was asked."""

    outcomes: Mapping[str, Outcome]
    days: Mapping[str, str]
    versions: Mapping[str, str]

    def updated(self, fresh: Iterable[Outcome], day: str, versions: Mapping[str, str]) -> "Results":
        """These with what was measured on that day in place of what was known."""
        new = {outcome.name: outcome for outcome in fresh}
        return Results(
            outcomes={**self.outcomes, **new},
            days={**self.days, **dict.fromkeys(new, day)},
            versions={**self.versions, **versions},
        )


NOTHING = Results(outcomes={}, days={}, versions={})


def to_json(results: Results) -> str:
    """The text of `results.json`: one line for each figure, in the figures' order."""
    lines = []
    for figure in FIGURES:
        if outcome := results.outcomes.get(figure.name):
            rounded = {
                key: round(value, 4) if isinstance(value, float) else value
                for key, value in asdict(outcome).items()
            }
            lines.append(json.dumps({**rounded, "day": results.days[figure.name]}))
    figures = ",\n    ".join(lines)
    versions = json.dumps(dict(sorted(results.versions.items())))
    return f'{{\n  "versions": {versions},\n  "figures": [\n    {figures}\n  ]\n}}\n'


def from_json(text: str) -> Results:
    """The results that `to_json` wrote; figures that are no longer measured are left out."""
    document = json.loads(text)
    known = {figure.name for figure in FIGURES}
    rows = [row for row in document["figures"] if row["name"] in known]
    return Results(
        outcomes={
            row["name"]: Outcome(**{key: value for key, value in row.items() if key != "day"}) for row in rows
        },
        days={row["name"]: row["day"] for row in rows},
        versions=document["versions"],
    )


def page(results: Results) -> str:
    """`docs/performance.md`."""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(results.versions.items()))
    table = "\n".join(_markdown_rows(results))
    scenarios = "\n".join(
        f"| `{name}` | {title} | {', '.join(targets)} |" for name, title, targets in _scenarios()
    )
    return (
        f"{_HEAD}\n## Figures\n\n"
        "| figure | must | aim | median | lowest to highest | rounds | measured | |\n"
        "|---|--:|--:|--:|--:|--:|---|---|\n"
        f"{table}\n\nVersions: {versions}.\n\n"
        f"## Scenarios\n\n| name | load | asked |\n|---|---|---|\n{scenarios}\n{_FOOT}"
    )


def terminal(outcomes: Sequence[Outcome]) -> str:
    """The figures as lines of text."""
    known = {outcome.name: outcome for outcome in outcomes}
    lines = [f"{'figure':<24} {'must':>9} {'median':>10} {'lowest to highest':>21} {'rounds':>6}"]
    for figure in (*FIGURES, *TO_BEFORE):
        if outcome := known.get(figure.name):
            spread = f"{outcome.low:.2f} to {outcome.high:.2f}"
            lines.append(
                f"{figure.name:<24} {_limit(figure, figure.must):>9} {_value(figure, outcome):>10} {spread:>21}"
                f" {_rounds(outcome):>6}  {verdict(figure, outcome)}"
            )
    return "\n".join(lines)


def _markdown_rows(results: Results) -> Iterable[str]:
    for figure in FIGURES:
        outcome = results.outcomes.get(figure.name)
        limits = f"{_limit(figure, figure.must)} | {_limit(figure, figure.aim)}"
        if outcome is None:
            yield f"| {figure.title} | {limits} | | | | not yet | |"
            continue
        yield (
            f"| {figure.title} | {limits} | {_value(figure, outcome)} | {outcome.low:.2f} to {outcome.high:.2f} "
            f"| {_rounds(outcome)} | {results.days[figure.name]} | {verdict(figure, outcome)} |"
        )


def _scenarios() -> Iterable[tuple[str, str, tuple[str, ...]]]:
    yield START, "a relay is started and answers one call, then left alone", ("relay",)
    for scenario in SCENARIOS:
        yield scenario.name, scenario.title, scenario.targets


def _limit(figure: Figure, limit: float | None) -> str:
    if limit is None:
        return ""
    return f"{'≥' if figure.more_is_better else '≤'} {limit:g} {figure.unit}"


def _value(figure: Figure, outcome: Outcome) -> str:
    return "" if outcome.value is None else f"{outcome.value:.2f} {figure.unit}"


def _rounds(outcome: Outcome) -> str:
    return f"{outcome.rounds}" + (f" (+{outcome.spoiled} wrong)" if outcome.spoiled else "")
