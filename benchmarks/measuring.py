"""Measures one target in one scenario: runs the load generator and reads its account."""

import json
import subprocess
from dataclasses import asdict, dataclass

from benchmarks.processes import LOAD_CORE
from benchmarks.programs import compiled_c, pinned
from benchmarks.scenarios import Scenario
from benchmarks.targets import Target

_WORDS = "Tell me how a gateway relays a streamed answer from the model to the client. "
PROMPT_BYTES = 200
TURN_BYTES = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one run of the load generator, or one start, found; times as their names say, None where not measured.

    `wrong` counts answers that were not what the mock had said; `what_was_wrong` describes the first.
    """

    target: str
    scenario: str
    round: int
    wrong: int = 0
    what_was_wrong: str = ""
    cpu_us_per_request: float | None = None
    cpu_us_per_chunk: float | None = None
    requests_per_s: float | None = None
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    transit_p50_ms: float | None = None
    first_answer_s: float | None = None
    idle_pss_mb: float | None = None


def measure(target: Target, scenario: Scenario, *, number: int, seconds: float, warm_s: float) -> Sample:
    """Put the load on the target for `seconds`, in round `number`. Raises `RuntimeError` when that fails."""
    command = [
        str(compiled_c("loadgen")),
        *("-u", target.url, "-B", "/dev/stdin", "-f", target.dialect),
        *("-n", str(scenario.tokens), "-c", str(scenario.connections)),
        *("-d", str(seconds), "-w", str(warm_s + scenario.ramp_s), "-r", str(scenario.ramp_s)),
        *(part for header in target.headers for part in ("-H", header)),
        *(("-s",) if scenario.streams else ()),
        *(("-v",) if scenario.varies else ()),
        *(("-P", str(target.pid)) if target.pid else ()),
    ]
    run = subprocess.run(
        pinned(LOAD_CORE, *command),
        input=json.dumps(body_of(scenario, target.dialect), separators=(",", ":")),
        capture_output=True,
        text=True,
        timeout=seconds + 120,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"the load generator failed: {run.stderr.strip()[-500:]}")
    return sample_of(json.loads(run.stdout), target, scenario, number)


def sample_of(account: dict[str, object], target: Target, scenario: Scenario, number: int) -> Sample:
    """The sample that the load generator's account of a run is."""

    def read(name: str) -> float:
        value = account[name]
        if not isinstance(value, int | float):
            raise TypeError(f"{name} is no number")
        return float(value)

    answers, chunks = read("answers"), read("chunks")
    wrong = int(read("wrong"))
    nothing = "nothing was answered" if not (chunks if scenario.streams else answers) else ""
    cpu_us = read("processor_us") if target.pid else None
    return Sample(
        target=target.name,
        scenario=scenario.name,
        round=number,
        wrong=wrong or int(bool(nothing)),
        what_was_wrong=str(account["first_wrong"]) or nothing,
        cpu_us_per_request=cpu_us / answers
        if cpu_us is not None and answers and not scenario.streams
        else None,
        cpu_us_per_chunk=cpu_us / chunks if cpu_us is not None and chunks else None,
        requests_per_s=answers / read("seconds"),
        latency_p50_ms=read("latency_p50_ms") or None,
        latency_p99_ms=read("latency_p99_ms") or None,
        transit_p50_ms=read("transit_p50_ms") or None,
    )


def body_of(scenario: Scenario, dialect: str) -> dict[str, object]:
    """The request: one question of some 200 bytes, or a history of the scenario's size that ends with it."""
    question = (_WORDS * (PROMPT_BYTES // len(_WORDS) + 1))[:PROMPT_BYTES]
    turn = (_WORDS * (TURN_BYTES // len(_WORDS) + 1))[:TURN_BYTES]
    turns = scenario.history_bytes // TURN_BYTES
    history = [{"role": ("user", "assistant")[n % 2], "content": turn} for n in range(turns - turns % 2)]
    system = {"role": "system", "content": "You are a helpful assistant."}
    body: dict[str, object] = {
        "model": scenario.model,
        "messages": [system, *history, {"role": "user", "content": question}],
        "stream": scenario.streams,
    }
    if dialect == "ollama":
        return {**body, "options": {"temperature": 0.7}}
    usage = {"stream_options": {"include_usage": True}} if scenario.streams else {}
    return {**body, "temperature": 0.7, **usage}


def as_plain(sample: Sample) -> dict[str, object]:
    """The sample without what was not measured."""
    return {name: value for name, value in asdict(sample).items() if value not in (None, "")}
