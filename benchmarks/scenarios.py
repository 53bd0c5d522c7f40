"""The scenarios: what is asked of the gateways, and of which."""

from dataclasses import dataclass
from typing import Literal

type Dialect = Literal["openai", "ollama"]

STREAM_TOKENS = 64
WHOLE_TOKENS = 64
"""What the mock says a whole answer has used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way to load a gateway.

    `targets` are asked in turn in each round. With `pause_ms` a streamed answer's chunks come that far apart.
    The connections start at once, or one after the other within `ramp_s`; `varies` shortens each one's first
    stream, as if all had begun at different times.
    """

    name: str
    title: str
    targets: tuple[str, ...]
    connections: int
    streams: bool = False
    pause_ms: int = 0
    wait_ms: int = 0
    history_bytes: int = 0
    varies: bool = False
    ramp_s: float = 0.0

    @property
    def model(self) -> str:
        """The model's name, which tells the mock what to do."""
        chunks = f"-c{STREAM_TOKENS:03d}" if self.streams else ""
        pause = f"-d{self.pause_ms}" if self.pause_ms else ""
        wait = f"-w{self.wait_ms}" if self.wait_ms else ""
        return f"mock{chunks}{pause}{wait}"

    @property
    def models(self) -> tuple[str, ...]:
        """Every name it asks for."""
        if not self.varies:
            return (self.model,)
        full = f"-c{STREAM_TOKENS:03d}"
        return tuple(self.model.replace(full, f"-c{n:03d}") for n in range(1, STREAM_TOKENS + 1))

    @property
    def tokens(self) -> int:
        """Output tokens that each answer must report."""
        return STREAM_TOKENS if self.streams else WHOLE_TOKENS


SCENARIOS = (
    Scenario(
        name="requests",
        title="whole answers on 64 connections",
        targets=("nginx", "go", "relay", "relay-10000", "litellm"),
        connections=64,
    ),
    Scenario(
        name="streams",
        title="16 streams of 64 chunks, 5 ms apart",
        targets=(
            "direct",
            "nginx",
            "go",
            "relay",
            "relay-tap",
            "relay-ollama",
            "relay-anthropic",
            "relay-gemini",
            "litellm",
        ),
        connections=16,
        streams=True,
        pause_ms=5,
    ),
    Scenario(
        name="saturated",
        title="32 streams of 64 chunks, without a pause",
        targets=("nginx", "go", "relay", "relay-tap", "relay-ollama"),
        connections=32,
        streams=True,
    ),
    Scenario(
        name="single",
        title="whole answers, one at a time",
        targets=("direct", "nginx", "relay"),
        connections=1,
    ),
    Scenario(
        name="waiting",
        title="256 requests waiting, for answers that take 100 ms",
        targets=("nginx", "relay-wide"),
        connections=256,
        wait_ms=100,
        ramp_s=0.1,
    ),
    Scenario(
        name="open-streams",
        title="1,000 open streams of 64 chunks, 312 ms apart",
        targets=("nginx", "relay-wide"),
        connections=1000,
        streams=True,
        pause_ms=312,
        varies=True,
        ramp_s=0.75,
    ),
    Scenario(
        name="spread-streams",
        title="16 streams of 64 chunks, 5 ms apart and out of step: as many chunks as those of 1,000",
        targets=("nginx", "relay"),
        connections=16,
        streams=True,
        pause_ms=5,
        varies=True,
        ramp_s=16 * 0.011,  # the starts fall on every millisecond of a pause
    ),
    Scenario(
        name="history",
        title="40 kB of messages on 64 connections",
        targets=("nginx", "go", "relay"),
        connections=64,
        history_bytes=40_000,
    ),
    Scenario(
        name="tls",
        title="whole answers on 64 connections, the provider behind TLS",
        targets=("nginx-tls", "relay-tls"),
        connections=64,
    ),
    Scenario(
        name="tls-streams",
        title="16 streams of 64 chunks, 5 ms apart, the provider behind TLS",
        targets=("nginx-tls", "relay-tls"),
        connections=16,
        streams=True,
        pause_ms=5,
    ),
)


def asked_models() -> tuple[str, ...]:
    """Every model name of every scenario, once."""
    return tuple(sorted({model for scenario in SCENARIOS for model in scenario.models}))
