"""The official clients of OpenAI and Ollama against the served listener."""

from collections.abc import AsyncIterator

import ollama
import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from relay.adapters.inbound.http.chat import Patience
from relay.domain.errors import Interrupted, Limited
from tests.support.fakes_chat import TapeBackend
from tests.unit.inbound_http.listener import HELLO, Listener, listening, served

pytestmark = pytest.mark.anyio

SAY_HI: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "hi"}]


@pytest.fixture
def listener() -> Listener:
    return listening(mode="keys")


@pytest.fixture
async def url(listener: Listener) -> AsyncIterator[str]:
    async with served(listener.api) as address:
        yield address


@pytest.fixture
async def client(url: str, listener: Listener) -> AsyncIterator[openai.AsyncOpenAI]:
    key = listener.keys.issue()
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as made:
        yield made


@pytest.fixture
async def native(url: str, listener: Listener) -> AsyncIterator[ollama.AsyncClient]:
    made = ollama.AsyncClient(host=url, headers={"authorization": f"Bearer {listener.keys.issue()}"})
    yield made
    await made._client.aclose()


async def test_openai_lists_and_retrieves(client: openai.AsyncOpenAI) -> None:
    listed = [model.id async for model in client.models.list()]
    assert "up/basic" in listed
    for name in ("up/basic", "up/me/ns:v1", "sonnet"):
        assert (await client.models.retrieve(name)).id == name
    with pytest.raises(openai.NotFoundError) as missing:
        await client.models.retrieve("zzz")
    assert missing.value.code == "model_not_found"
    assert missing.value.request_id


async def test_openai_chats_and_streams(client: openai.AsyncOpenAI, listener: Listener) -> None:
    answer = await client.chat.completions.create(model="sonnet", messages=SAY_HI)
    assert answer.choices[0].message.content == "Hello"
    assert answer._request_id == listener.lines[-1].request_id
    async with client.chat.completions.stream(
        model="up/basic",
        messages=SAY_HI,
        stream_options={"include_usage": True},
    ) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "Hello"
    assert final.usage is not None
    assert final.usage.total_tokens == 14


async def test_openai_is_told_of_every_failure(
    client: openai.AsyncOpenAI, url: str, listener: Listener
) -> None:
    listener.backend.before = (Limited("slow down", retry_after_s=1),)
    with pytest.raises(openai.RateLimitError) as limited:
        await client.chat.completions.create(model="up/basic", messages=SAY_HI)
    assert limited.value.response.headers["retry-after"] == "1"
    listener.backend.before = ()
    listener.backend.tape = (*HELLO[:2], Interrupted("the stream broke"))
    stream = await client.chat.completions.create(model="up/basic", messages=SAY_HI, stream=True)
    with pytest.raises(openai.APIError, match="the stream broke"):
        async for _ in stream:
            pass
    stranger = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        await stranger.models.list()
    await stranger.close()


async def test_ollama_lists_shows_and_loads(native: ollama.AsyncClient, listener: Listener) -> None:
    assert "up/basic:latest" in {model.model for model in (await native.list()).models}
    page = await native.show("basic")
    assert page.capabilities == ["completion", "tools"]
    assert (await native.ps()).models == []
    assert (await native.chat("basic", messages=[])).done_reason == "load"
    assert (await native.chat("basic", messages=[], keep_alive=0)).done_reason == "unload"
    assert listener.backend.calls == []
    with pytest.raises(ollama.ResponseError, match="model 'zzz:latest' not found"):
        await native.show("zzz")


async def test_ollama_chats_and_streams(native: ollama.AsyncClient) -> None:
    whole = await native.chat("up/basic", messages=SAY_HI)
    assert (whole.message.content, whole.eval_count) == ("Hello", 2)
    parts = [part async for part in await native.chat("up/basic", messages=SAY_HI, stream=True)]
    assert "".join(part.message.content or "" for part in parts) == "Hello"
    assert [part.done for part in parts][-1] is True


async def test_ollama_is_told_of_every_failure(native: ollama.AsyncClient, listener: Listener) -> None:
    with pytest.raises(ollama.ResponseError) as missing:
        await native.chat("zzz", messages=SAY_HI)
    assert (missing.value.status_code, missing.value.error) == (404, "model 'zzz' not found")
    listener.backend.tape = (*HELLO[:2], Interrupted("the stream broke"))
    with pytest.raises(ollama.ResponseError, match="the stream broke"):
        async for _ in await native.chat("up/basic", messages=SAY_HI, stream=True):
            pass


async def test_a_client_in_a_hurry_is_kept_by_comments() -> None:
    """The client's own time-out counts between bytes: a comment is one."""
    listener = listening(TapeBackend(HELLO, before=(0.6,)), patience=Patience(keep_alive_s=0.1))
    async with served(listener.api) as url:
        client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=0.4)
        async with client:
            stream = await client.chat.completions.create(model="basic", messages=SAY_HI, stream=True)
            said = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(said) == "Hello"
