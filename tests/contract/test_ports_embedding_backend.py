"""The contract of the port `EmbeddingBackend`, for the backend over HTTP in each of its ways, and for the fake."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import anyio
import pytest

from relay.adapters.dialects.embeddings import EMBEDDING_DIALECTS
from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.outbound.providers.build import build_backends
from relay.adapters.outbound.providers.spec import configured
from relay.adapters.outbound.system import SystemClock
from relay.application.ports import EmbeddingBackend, OriginalEmbedding, UpstreamEmbedCall
from relay.domain.embeddings import EmbeddingDialectName, EmbedRequest, EmbedResponse
from relay.domain.errors import Interrupted, Limited, Malformed, UpstreamError
from relay.domain.usage import Usage
from tests.support.fakes_embeddings import RuleBackend, vector
from tests.support.fakes_http import Answer, RecordingHttp, ScriptedResponse, whole

pytestmark = pytest.mark.anyio

UNITS = ([1.0, 0.0], [0.0, 1.0])
TEXTS = ("a", "b")


@dataclass(frozen=True)
class Plot:
    """What shall happen: a refusal, or an answer that breaks off, never comes, or has too few vectors."""

    refused: UpstreamError | None = None
    breaks: bool = False
    hangs: bool = False
    vectors: int = len(TEXTS)


type Stage = Callable[[Plot], EmbeddingBackend]


def fake(plot: Plot) -> EmbeddingBackend:
    def rule(request: EmbedRequest) -> EmbedResponse:
        vectors = tuple(vector(*unit) for unit in UNITS[: request.count])
        return EmbedResponse(vectors=vectors, usage=Usage(input_tokens=7))

    if plot.refused is not None:
        return RuleBackend(rule, before=(plot.refused,))
    if plot.breaks:
        return RuleBackend(rule, steps=(Interrupted("cut"),))
    if plot.vectors < len(TEXTS):
        return RuleBackend(rule, steps=(Malformed("too few"),))
    return RuleBackend(rule, steps=(60.0,) if plot.hangs else ())


def over_http(kind: str) -> Stage:
    def stage(plot: Plot) -> EmbeddingBackend:
        http = RecordingHttp(lambda request: answer(plot))
        spec = configured(kind, {"api_key": "k"}, {})
        backends = build_backends([spec], http=http, dialects=DIALECTS, clock=SystemClock(), environ={})
        backend = backends.find_embedding(kind)
        assert backend is not None
        return backend

    def answer(plot: Plot) -> Answer:
        if plot.refused is not None:
            error = (
                {"error": "slow down"}
                if kind in ("ollama", "cohere")
                else {"error": {"message": "slow down"}}
            )
            return whole(error, status=429, headers={"retry-after": "7"})
        units = UNITS[: plot.vectors]
        data = [{"index": index, "embedding": unit} for index, unit in enumerate(units)]
        body: dict[str, object] = {"model": "m", "data": data, "usage": {"prompt_tokens": 7}}
        if kind == "ollama":
            body = {"model": "m", "embeddings": units, "prompt_eval_count": 7}
        if kind == "gemini":
            values = [{"values": unit} for unit in units]
            body = {"embeddings": values, "usageMetadata": {"promptTokenCount": 7}}
        if kind == "cohere":
            body = {"embeddings": {"float": units}, "meta": {"billed_units": {"input_tokens": 7}}}
        sent = json.dumps(body).encode()
        if plot.breaks:
            return ScriptedResponse((sent[:20], Interrupted("cut")))
        return ScriptedResponse((sent[:20], 60.0)) if plot.hangs else whole(sent)

    return stage


@dataclass(frozen=True)
class Case:
    """A backend and the dialect its caller speaks."""

    stage: Stage
    dialect: EmbeddingDialectName

    def call(self) -> UpstreamEmbedCall:
        body = json.dumps({"model": "asked", "input": TEXTS}).encode()
        request = EMBEDDING_DIALECTS[self.dialect].decode_request(body)
        return UpstreamEmbedCall(
            original=OriginalEmbedding(dialect=self.dialect, body=body, request=request),
            model="m",
            echo="asked",
            request_id="request-1",
        )


@pytest.fixture(
    params=[
        pytest.param(Case(fake, "openai.embeddings"), id="fake"),
        pytest.param(Case(over_http("openai"), "openai.embeddings"), id="openai-passed"),
        pytest.param(Case(over_http("openai"), "ollama.embed"), id="openai-translated"),
        pytest.param(Case(over_http("ollama"), "ollama.embed"), id="ollama-passed"),
        pytest.param(Case(over_http("ollama"), "openai.embeddings"), id="ollama-translated"),
        pytest.param(Case(over_http("gemini"), "openai.embeddings"), id="gemini"),
        pytest.param(Case(over_http("cohere"), "ollama.embed"), id="cohere"),
    ]
)
def case(request: pytest.FixtureRequest) -> Case:
    given: Case = request.param
    return given


async def test_an_answer_has_the_vectors_in_order_and_the_count(case: Case) -> None:
    exchange = await case.stage(Plot()).open(case.call())
    assert (exchange.status, exchange.losses) == (200, ())
    answer = await exchange.read()
    await exchange.aclose()
    assert [list(each) for each in answer.response.vectors] == list(UNITS)
    assert answer.response.usage == Usage(input_tokens=7)


async def test_bytes_that_may_pass_bear_the_callers_name_for_the_model(case: Case) -> None:
    exchange = await case.stage(Plot()).open(case.call())
    answer = await exchange.read()
    await exchange.aclose()
    assert answer.raw is None or json.loads(answer.raw)["model"] == "asked"


async def test_a_refusal_is_raised_by_open(case: Case) -> None:
    with pytest.raises(Limited) as raised:
        await case.stage(Plot(refused=Limited("slow down", retry_after_s=7.0))).open(case.call())
    assert raised.value.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("plot", "failure"), [(Plot(breaks=True), Interrupted), (Plot(vectors=1), Malformed)]
)
async def test_what_is_no_whole_answer_is_raised_by_read(
    case: Case, plot: Plot, failure: type[UpstreamError]
) -> None:
    exchange = await case.stage(plot).open(case.call())
    with pytest.raises(failure):
        await exchange.read()
    await exchange.aclose()


async def test_a_read_that_was_cancelled_can_be_followed_by_closing(case: Case) -> None:
    exchange = await case.stage(Plot(hangs=True)).open(case.call())
    with anyio.move_on_after(0.05) as scope:
        await exchange.read()
    assert scope.cancelled_caught
    await exchange.aclose()


async def test_closing_is_allowed_at_any_time_and_twice(case: Case) -> None:
    exchange = await case.stage(Plot()).open(case.call())
    await exchange.aclose()
    await exchange.aclose()


def test_whether_token_ids_are_taken_is_known(case: Case) -> None:
    assert case.stage(Plot()).takes_tokens in (True, False)
