"""The figures: which measurements make one, and what it must be."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

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


_per_request = partial(Figure, measure="cpu_us_per_request")
_per_chunk = partial(Figure, measure="cpu_us_per_chunk")

RELAY_REQUESTS, RELAY_STREAMS = Cell("relay", "requests"), Cell("relay", "streams")
RELAY_SATURATED, RELAY_HISTORY = Cell("relay", "saturated"), Cell("relay", "history")
TLS_REQUESTS, TLS_STREAMS = Cell("relay-tls", "tls"), Cell("relay-tls", "tls-streams")
TAP_STREAMS = Cell("relay-tap", "streams")
OPEN_STREAMS = Cell("relay-wide", "open-streams")
RELAY_SINGLE, DIRECT_SINGLE = Cell("relay", "single"), Cell("direct", "single")

FIGURES = (
    _per_request(
        name="request-nginx",
        title="processor time per request, to nginx",
        of=RELAY_REQUESTS,
        over=Cell("nginx", "requests"),
        must=7,
        aim=4,
    ),
    _per_chunk(
        name="chunk-nginx",
        title="processor time per chunk, to nginx",
        of=RELAY_STREAMS,
        over=Cell("nginx", "streams"),
        must=3,
        aim=2,
    ),
    _per_request(
        name="request-go",
        title="processor time per request, to the Go gateway",
        of=RELAY_REQUESTS,
        over=Cell("go", "requests"),
        must=1.3,
        aim=0.9,
    ),
    _per_chunk(
        name="chunk-go",
        title="processor time per chunk, to the Go gateway",
        of=RELAY_STREAMS,
        over=Cell("go", "streams"),
        aim=1.1,
    ),
    _per_chunk(
        name="tap-nginx",
        title="processor time per chunk passed through, to nginx",
        of=TAP_STREAMS,
        over=Cell("nginx", "streams"),
    ),
    _per_request(
        name="litellm-request",
        title="requests per second of a core, to LiteLLM's",
        of=Cell("litellm", "requests"),
        over=RELAY_REQUESTS,
        must=40,
        aim=80,
        more_is_better=True,
    ),
    _per_chunk(
        name="litellm-chunk",
        title="chunks per second of a core, to LiteLLM's",
        of=Cell("litellm", "streams"),
        over=RELAY_STREAMS,
        must=15,
        aim=20,
        more_is_better=True,
    ),
    _per_chunk(
        name="cross-dialect",
        title="processor time per chunk, from OpenAI to Ollama, to passed through",
        of=Cell("relay-ollama", "streams"),
        over=TAP_STREAMS,
        must=1.5,
    ),
    _per_chunk(
        name="cross-anthropic",
        title="processor time per chunk, from Anthropic to OpenAI, to passed through",
        of=Cell("relay-anthropic", "streams"),
        over=TAP_STREAMS,
        must=1.5,
    ),
    _per_chunk(
        name="cross-gemini",
        title="processor time per chunk, from Gemini to OpenAI, to passed through",
        of=Cell("relay-gemini", "streams"),
        over=TAP_STREAMS,
        must=1.5,
    ),
    _per_request(
        name="catalogue",
        title="processor time per request, with 10,000 models more in the catalogue, to without",
        of=Cell("relay-10000", "requests"),
        over=RELAY_REQUESTS,
        must=1.2,
    ),
    _per_chunk(
        name="open-streams",
        title="processor time per chunk of 1,000 open streams, to that of 16 with as many chunks",
        of=OPEN_STREAMS,
        over=Cell("relay", "spread-streams"),
        must=1.2,
    ),
    _per_chunk(
        name="open-streams-of-nginx",
        title="the same of nginx: what the machine itself adds",
        of=Cell("nginx", "open-streams"),
        over=Cell("nginx", "spread-streams"),
        noisy=True,
    ),
    _per_chunk(
        name="open-streams-nginx",
        title="processor time per chunk of 1,000 open streams, to nginx",
        of=OPEN_STREAMS,
        over=Cell("nginx", "open-streams"),
    ),
    _per_chunk(
        name="saturated-nginx",
        title="processor time per chunk of saturated streams, to nginx",
        of=RELAY_SATURATED,
        over=Cell("nginx", "saturated"),
    ),
    _per_chunk(
        name="saturated-go",
        title="processor time per chunk of saturated streams, to the Go gateway",
        of=RELAY_SATURATED,
        over=Cell("go", "saturated"),
    ),
    _per_chunk(
        name="saturated-cross-dialect",
        title="processor time per chunk of saturated streams, from OpenAI to Ollama, to passed through",
        of=Cell("relay-ollama", "saturated"),
        over=Cell("relay-tap", "saturated"),
    ),
    _per_request(
        name="waiting-nginx",
        title="processor time per request with 256 waiting, to nginx",
        of=Cell("relay-wide", "waiting"),
        over=Cell("nginx", "waiting"),
    ),
    _per_request(
        name="history-nginx",
        title="processor time per request of 40 kB, to nginx",
        of=RELAY_HISTORY,
        over=Cell("nginx", "history"),
    ),
    _per_request(
        name="history-go",
        title="processor time per request of 40 kB, to the Go gateway",
        of=RELAY_HISTORY,
        over=Cell("go", "history"),
    ),
    _per_request(
        name="tls-request",
        title="processor time per request with TLS to the provider, to without",
        of=TLS_REQUESTS,
        over=RELAY_REQUESTS,
    ),
    _per_request(
        name="tls-request-nginx",
        title="processor time per request with TLS to the provider, to nginx's with TLS",
        of=TLS_REQUESTS,
        over=Cell("nginx-tls", "tls"),
    ),
    _per_chunk(
        name="tls-chunk",
        title="processor time per chunk with TLS to the provider, to without",
        of=TLS_STREAMS,
        over=RELAY_STREAMS,
    ),
    _per_chunk(
        name="tls-chunk-nginx",
        title="processor time per chunk with TLS to the provider, to nginx's with TLS",
        of=TLS_STREAMS,
        over=Cell("nginx-tls", "tls-streams"),
    ),
    Figure(
        name="added-p50",
        title="latency added to one request at a time, median",
        measure="latency_p50_ms",
        of=RELAY_SINGLE,
        over=DIRECT_SINGLE,
        kind="added",
        unit="ms",
        must=0.8,
        aim=0.45,
    ),
    Figure(
        name="added-p99",
        title="latency added to one request at a time, 99th percentile",
        measure="latency_p99_ms",
        of=RELAY_SINGLE,
        over=DIRECT_SINGLE,
        kind="added",
        unit="ms",
        must=3,
        aim=1,
        noisy=True,
    ),
    Figure(
        name="added-p50-nginx",
        title="the same of nginx, median",
        measure="latency_p50_ms",
        of=Cell("nginx", "single"),
        over=DIRECT_SINGLE,
        kind="added",
        unit="ms",
        noisy=True,
    ),
    Figure(
        name="added-p99-nginx",
        title="the same of nginx, 99th percentile: what the machine itself adds",
        measure="latency_p99_ms",
        of=Cell("nginx", "single"),
        over=DIRECT_SINGLE,
        kind="added",
        unit="ms",
        noisy=True,
    ),
    Figure(
        name="transit-p50",
        title="time added to a chunk's way, median, 16 streams",
        measure="transit_p50_ms",
        of=RELAY_STREAMS,
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
