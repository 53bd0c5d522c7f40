"""The figures: which measurements make one, what it must be, and how it follows from the rounds."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.measuring import Sample
from benchmarks.scenarios import SCENARIOS

type Measure = Literal[
    "cpu_us_per_request",
    "cpu_us_per_chunk",
    "latency_p50_ms",
    "latency_p99_ms",
    "transit_p50_ms",
    "first_answer_s",
    "idle_pss_mb",
]
type Kind = Literal["ratio", "added", "plain"]
type Verdict = Literal["pass", "fail", "wrong answers", "-"]

START = "start"
"""The scenario of a relay that is only started."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One target in one scenario."""

    target: str
    scenario: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`measure` of a cell: divided by that of `over`, less that of `over`, or plain.

    `must` is the limit and `aim` the wish, both upper bounds unless `more_is_better`. Where `noisy`, the machine
    moves it more than any change would, and it is not compared with earlier runs.
    """

    name: str
    title: str
    measure: Measure
    of: Cell
    over: Cell | None = None
    kind: Kind = "ratio"
    unit: str = "x"
    must: float | None = None
    aim: float | None = None
    more_is_better: bool = False
    noisy: bool = False

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells it needs."""
        return (self.of, self.over) if self.over else (self.of,)

    def meets(self, value: float, limit: float) -> bool:
        """Whether the value keeps to the limit."""
        return value >= limit if self.more_is_better else value <= limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A figure's median over the rounds with its spread; `value` is None when each round had wrong answers.

    `spoiled` rounds had some and do not count.
    """

    name: str
    value: float | None
    low: float
    high: float
    rounds: int
    spoiled: int


FIGURES = (
    Figure(
        name="request-nginx",
        title="processor time per request, to nginx",
        measure="cpu_us_per_request",
        of=Cell("relay", "requests"),
        over=Cell("nginx", "requests"),
        must=7,
        aim=4,
    ),
    Figure(
        name="chunk-nginx",
        title="processor time per chunk, to nginx",
        measure="cpu_us_per_chunk",
        of=Cell("relay", "streams"),
        over=Cell("nginx", "streams"),
        must=3,
        aim=2,
    ),
    Figure(
        name="request-go",
        title="processor time per request, to the Go gateway",
        measure="cpu_us_per_request",
        of=Cell("relay", "requests"),
        over=Cell("go", "requests"),
        must=1.3,
        aim=0.9,
    ),
    Figure(
        name="chunk-go",
        title="processor time per chunk, to the Go gateway",
        measure="cpu_us_per_chunk",
        of=Cell("relay", "streams"),
        over=Cell("go", "streams"),
        aim=1.1,
    ),
    Figure(
        name="litellm-request",
        title="requests per second of a core, to LiteLLM's",
        measure="cpu_us_per_request",
        of=Cell("litellm", "requests"),
        over=Cell("relay", "requests"),
        must=40,
        aim=80,
        more_is_better=True,
    ),
    Figure(
        name="litellm-chunk",
        title="chunks per second of a core, to LiteLLM's",
        measure="cpu_us_per_chunk",
        of=Cell("litellm", "streams"),
        over=Cell("relay", "streams"),
        must=15,
        aim=20,
        more_is_better=True,
    ),
    Figure(
        name="cross-dialect",
        title="processor time per chunk, from OpenAI to Ollama, to OpenAI throughout",
        measure="cpu_us_per_chunk",
        of=Cell("relay-ollama", "streams"),
        over=Cell("relay", "streams"),
        must=1.5,
    ),
    Figure(
        name="catalogue",
        title="processor time per request, with 10,000 models more in the catalogue, to without",
        measure="cpu_us_per_request",
        of=Cell("relay-10000", "requests"),
        over=Cell("relay", "requests"),
        must=1.2,
    ),
    Figure(
        name="open-streams",
        title="processor time per chunk of 1,000 open streams, to that of 16",
        measure="cpu_us_per_chunk",
        of=Cell("relay-wide", "open-streams"),
        over=Cell("relay", "streams"),
        must=1.2,
    ),
    Figure(
        name="open-streams-nginx",
        title="processor time per chunk of 1,000 open streams, to nginx",
        measure="cpu_us_per_chunk",
        of=Cell("relay-wide", "open-streams"),
        over=Cell("nginx", "open-streams"),
    ),
    Figure(
        name="saturated-nginx",
        title="processor time per chunk of saturated streams, to nginx",
        measure="cpu_us_per_chunk",
        of=Cell("relay", "saturated"),
        over=Cell("nginx", "saturated"),
    ),
    Figure(
        name="saturated-go",
        title="processor time per chunk of saturated streams, to the Go gateway",
        measure="cpu_us_per_chunk",
        of=Cell("relay", "saturated"),
        over=Cell("go", "saturated"),
    ),
    Figure(
        name="saturated-cross-dialect",
        title="processor time per chunk of saturated streams, from OpenAI to Ollama, to OpenAI throughout",
        measure="cpu_us_per_chunk",
        of=Cell("relay-ollama", "saturated"),
        over=Cell("relay", "saturated"),
    ),
    Figure(
        name="waiting-nginx",
        title="processor time per request with 256 waiting, to nginx",
        measure="cpu_us_per_request",
        of=Cell("relay-wide", "waiting"),
        over=Cell("nginx", "waiting"),
    ),
    Figure(
        name="history-nginx",
        title="processor time per request of 40 kB, to nginx",
        measure="cpu_us_per_request",
        of=Cell("relay", "history"),
        over=Cell("nginx", "history"),
    ),
    Figure(
        name="history-go",
        title="processor time per request of 40 kB, to the Go gateway",
        measure="cpu_us_per_request",
        of=Cell("relay", "history"),
        over=Cell("go", "history"),
    ),
    Figure(
        name="tls-request",
        title="processor time per request with TLS to the provider, to without",
        measure="cpu_us_per_request",
        of=Cell("relay-tls", "tls"),
        over=Cell("relay", "requests"),
    ),
    Figure(
        name="tls-request-nginx",
        title="processor time per request with TLS to the provider, to nginx's with TLS",
        measure="cpu_us_per_request",
        of=Cell("relay-tls", "tls"),
        over=Cell("nginx-tls", "tls"),
    ),
    Figure(
        name="tls-chunk",
        title="processor time per chunk with TLS to the provider, to without",
        measure="cpu_us_per_chunk",
        of=Cell("relay-tls", "tls-streams"),
        over=Cell("relay", "streams"),
    ),
    Figure(
        name="added-p50",
        title="latency added to one request at a time, median",
        measure="latency_p50_ms",
        of=Cell("relay", "single"),
        over=Cell("direct", "single"),
        kind="added",
        unit="ms",
        must=0.8,
        aim=0.45,
    ),
    Figure(
        name="added-p99",
        title="latency added to one request at a time, 99th percentile",
        measure="latency_p99_ms",
        of=Cell("relay", "single"),
        over=Cell("direct", "single"),
        kind="added",
        unit="ms",
        must=3,
        aim=1,
        noisy=True,
    ),
    Figure(
        name="transit-p50",
        title="time added to a chunk's way, median, 16 streams",
        measure="transit_p50_ms",
        of=Cell("relay", "streams"),
        over=Cell("direct", "streams"),
        kind="added",
        unit="ms",
        aim=0.3,
        noisy=True,
    ),
    Figure(
        name="first-answer",
        title="from the start to the first answer",
        measure="first_answer_s",
        of=Cell("relay", START),
        kind="plain",
        unit="s",
        must=2,
        aim=1,
        noisy=True,
    ),
    Figure(
        name="idle-memory",
        title="memory of the idle relay",
        measure="idle_pss_mb",
        of=Cell("relay", START),
        kind="plain",
        unit="MB",
        must=100,
        aim=70,
    ),
)


TO_BEFORE = tuple(
    Figure(
        name=f"before-{scenario.name}",
        title=f"processor time to that of the other checkout, {scenario.title}",
        measure="cpu_us_per_chunk" if scenario.streams else "cpu_us_per_request",
        of=Cell("relay", scenario.name),
        over=Cell("before", scenario.name),
    )
    for scenario in SCENARIOS
    if "relay" in scenario.targets
)
"""The relay against another checkout of itself, for who changes it; not kept."""


def outcomes(samples: Iterable[Sample], figures: Sequence[Figure] = FIGURES) -> tuple[Outcome, ...]:
    """Each figure that these samples give, computed round by round, as the rounds are interleaved."""
    known = {(sample.target, sample.scenario, sample.round): sample for sample in samples}
    rounds = sorted({number for _, _, number in known})
    found = (_outcome(figure, known, rounds) for figure in figures)
    return tuple(outcome for outcome in found if outcome)


def verdict(figure: Figure, outcome: Outcome) -> Verdict:
    """Whether the median keeps to what it must be."""
    if outcome.value is None:
        return "wrong answers"
    if figure.must is None:
        return "-"
    return "pass" if figure.meets(outcome.value, figure.must) else "fail"


def _outcome(
    figure: Figure, known: dict[tuple[str, str, int], Sample], rounds: Sequence[int]
) -> Outcome | None:
    values, spoiled = [], 0
    for number in rounds:
        samples = [known.get((cell.target, cell.scenario, number)) for cell in figure.cells]
        there = [sample for sample in samples if sample]
        if len(there) < len(samples):
            continue
        measured = [getattr(sample, figure.measure) for sample in there]
        if any(sample.wrong for sample in there) or None in measured:
            spoiled += 1
            continue
        values.append(_value(figure.kind, measured))
    if not values and not spoiled:
        return None
    return Outcome(
        name=figure.name,
        value=statistics.median(values) if values else None,
        low=min(values, default=0.0),
        high=max(values, default=0.0),
        rounds=len(values),
        spoiled=spoiled,
    )


def _value(kind: Kind, measured: Sequence[float]) -> float:
    match kind:
        case "ratio":
            return measured[0] / measured[1]
        case "added":
            return measured[0] - measured[1]
        case "plain":
            return measured[0]
