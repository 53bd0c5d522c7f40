"""Pydantic AI's agents, through its providers for OpenAI and for Ollama, on providers of both kinds.

Its packages take seconds to import, which only these tests shall pay.
"""

import hashlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import openai
import pytest
from anyio import to_thread
from pydantic import BaseModel

from tests.e2e.clients.accounts import assert_agreed
from tests.support.pictures import png
from tests.support.process import ServerProcess
from tests.support.upstream import Call, ScriptedUpstream

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.usage import RunUsage

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

type Models = Callable[[str], Model]

client_of = pytest.mark.parametrize("client", ["openai", "ollama"])
provider_of = pytest.mark.parametrize("provider", ["up", "oll"])


class City(BaseModel):
    """Where it is."""

    city: str
    days: int


@pytest.fixture
async def models(relay: ServerProcess, client: str) -> AsyncIterator[Models]:
    """Makes the model of a name, by the provider that this client is configured with."""
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.ollama import OllamaProvider
    from pydantic_ai.providers.openai import OpenAIProvider

    kind = OpenAIProvider if client == "openai" else OllamaProvider
    async with openai.AsyncOpenAI(base_url=f"{relay.url}/v1", api_key="none", max_retries=0) as connection:
        provider = kind(openai_client=connection)
        yield lambda name: OpenAIChatModel(name, provider=provider)


async def agreed(
    relay: ServerProcess, upstream: ScriptedUpstream, usage: "RunUsage", *, calls: int = 1
) -> list[Call]:
    """As `assert_agreed`, which reads the ledger in a loop of its own."""
    tokens = (usage.input_tokens, usage.output_tokens)
    return await to_thread.run_sync(partial(assert_agreed, relay, upstream, tokens, calls=calls))


@client_of
@provider_of
async def test_an_answer_is_the_same_whole_and_streamed(
    relay: ServerProcess, upstream: ScriptedUpstream, models: Models, provider: str
) -> None:
    from pydantic_ai import Agent

    agent = Agent(models(f"{provider}/basic?chunks=5"))
    whole = await agent.run("hi")
    assert whole.output == "000 001 002 003 004 "
    await agreed(relay, upstream, whole.usage)
    async with agent.run_stream("hi") as answer:
        pieces = [piece async for piece in answer.stream_text(delta=True, debounce_by=None)]
    assert pieces == ["000 ", "001 ", "002 ", "003 ", "004 "]
    await agreed(relay, upstream, answer.usage)


@client_of
@provider_of
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_agent_calls_its_tools_side_by_side_and_answers(
    relay: ServerProcess, upstream: ScriptedUpstream, models: Models, provider: str, stream: bool
) -> None:
    from pydantic_ai import Agent

    called: list[Any] = []
    agent = Agent(models(f"{provider}/tools?calls=2"))

    @agent.tool_plain
    def weather(city: str, days: int) -> str:
        """Tells the weather."""
        called.append(("weather", city, days))
        return "sunny"

    @agent.tool_plain
    def clock() -> str:
        """Tells the time."""
        called.append(("clock",))
        return "noon"

    if stream:
        async with agent.run_stream("Weather and time?") as answer:
            said, usage = await answer.get_output(), answer.usage
    else:
        result = await agent.run("Weather and time?")
        said, usage = result.output, result.usage
    assert said == "000 001 002 003 "
    assert sorted(called) == [("clock",), ("weather", "abc", 1)]
    _, second = await agreed(relay, upstream, usage, calls=2)
    results = [message for message in second.body["messages"] if message["role"] == "tool"]
    assert [message["content"] for message in results] == ["sunny", "noon"]


@client_of
@provider_of
async def test_an_output_of_a_class_is_an_object_of_it(models: Models, provider: str) -> None:
    from pydantic_ai import Agent, NativeOutput, ToolOutput

    by_schema = Agent(models(f"{provider}/schema"), output_type=NativeOutput(City))
    assert (await by_schema.run("Where is it?")).output == City(city="abc", days=1)
    by_tool = Agent(models(f"{provider}/tools"), output_type=ToolOutput(City))
    assert (await by_tool.run("Where is it?")).output == City(city="abc", days=1)


@client_of
@provider_of
async def test_thinking_is_a_part_of_its_own(
    relay: ServerProcess, upstream: ScriptedUpstream, models: Models, provider: str
) -> None:
    from pydantic_ai import Agent, TextPart, ThinkingPart

    agent = Agent(models(f"{provider}/think"))
    whole = await agent.run("hi")
    async with agent.run_stream("hi") as streamed:
        await streamed.get_output()
    await agreed(relay, upstream, streamed.usage)
    for messages in (whole.all_messages(), streamed.all_messages()):
        thought, said = messages[-1].parts
        assert isinstance(thought, ThinkingPart)
        assert thought.content == "h00 h01 h02 "
        assert isinstance(said, TextPart)
        assert said.content == "000 001 002 003 "


@client_of
@provider_of
async def test_a_picture_reaches_the_provider(models: Models, provider: str) -> None:
    from pydantic_ai import Agent, BinaryContent

    picture = png()
    prompt: list[str | BinaryContent] = ["What is it?", BinaryContent(picture, media_type="image/png")]
    answer = await Agent(models(f"{provider}/image")).run(prompt)
    digest = hashlib.sha256(picture).hexdigest()
    assert answer.output == f"image/png {len(picture)} bytes sha256={digest}"


@client_of
@pytest.mark.parametrize(
    ("model", "kind", "status"),
    [
        ("nothing", "ModelNotFoundError", 404),
        ("up/nothing", "ModelNotFoundError", 404),
        ("oll/nothing", "ModelNotFoundError", 404),
        ("up/fault/429", "ModelRateLimitError", 429),
        ("oll/fault/429", "ModelRateLimitError", 429),
    ],
)
async def test_a_failure_is_of_its_kind(models: Models, model: str, kind: str, status: int) -> None:
    import pydantic_ai

    agent = pydantic_ai.Agent(models(model))
    with pytest.raises(pydantic_ai.ModelHTTPError) as whole:
        await agent.run("hi")
    with pytest.raises(pydantic_ai.ModelHTTPError) as streamed:
        async with agent.run_stream("hi"):
            pass
    for failure in (whole, streamed):
        assert (failure.type.__name__, failure.value.status_code) == (kind, status)


@client_of
@provider_of
@pytest.mark.parametrize(
    ("fault", "words"), [("cut", "broke"), ("error_event?after_chunks=2", "the model fell over")]
)
async def test_a_stream_that_breaks_is_an_error_after_what_came(
    models: Models, provider: str, fault: str, words: str
) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.exceptions import ModelAPIError

    came: list[str] = []

    async def read() -> None:
        async with Agent(models(f"{provider}/fault/{fault}")).run_stream("hi") as answer:
            async for piece in answer.stream_text(delta=True, debounce_by=None):
                came.append(piece)

    with pytest.raises(ModelAPIError, match=words):
        await read()
    assert "".join(came).startswith("000 001 ")
