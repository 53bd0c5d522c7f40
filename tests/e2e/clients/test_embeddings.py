"""Embeddings by the official clients and LangChain: the provider's own numbers, in the order of the texts."""

import math
from typing import Any

import ollama
import openai
import pytest

from tests.e2e.clients.accounts import assert_agreed
from tests.support.official_clients import ollama_client, openai_client
from tests.support.process import ServerProcess
from tests.support.upstream import ScriptedUpstream
from tests.support.upstream.embeddings import vector_of

pytestmark = pytest.mark.e2e

TEXTS = ["the first", "another", "", "umlaut äöü \u2028 漢字"]

provider_of = pytest.mark.parametrize("provider", ["up", "oll"])


def is_close(vector: Any, text: str, **options: Any) -> bool:
    """Whether the numbers are the provider's for this text, as far as 32 bits hold them."""
    wanted = vector_of(text, **options)
    pairs = zip(vector, wanted, strict=True)
    return all(math.isclose(one, other, abs_tol=1e-6) for one, other in pairs)


@provider_of
@pytest.mark.parametrize("form", ["base64", "float", None], ids=["base64", "float", "unsaid"])
def test_openai_reads_the_numbers_in_either_form(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str, form: str | None
) -> None:
    options: dict[str, Any] = {} if form is None else {"encoding_format": form}
    with openai_client(relay.url) as client:
        made = client.embeddings.create(model=f"{provider}/embed?shuffled=1", input=TEXTS, **options)
        alone = client.embeddings.create(model=f"{provider}/embed", input=TEXTS[0], **options)
    assert [entry.index for entry in made.data] == [0, 1, 2, 3]
    vectors: list[Any] = [entry.embedding for entry in made.data]
    if form == "base64":
        # Asked for by name, it is left as it came.
        assert all(isinstance(vector, str) for vector in vectors)
    else:
        assert all(is_close(vector, text) for vector, text in zip(vectors, TEXTS, strict=True))
        assert is_close(alone.data[0].embedding, TEXTS[0])
    tokens = made.usage.prompt_tokens + alone.usage.prompt_tokens
    assert_agreed(relay, upstream, (tokens, 0), calls=2)


@provider_of
def test_openai_gets_as_many_numbers_as_it_asks_for(relay: ServerProcess, provider: str) -> None:
    with openai_client(relay.url) as client:
        made = client.embeddings.create(model=f"{provider}/embed", input="a", dimensions=4)
    assert len(made.data[0].embedding) == 4
    assert math.isclose(math.hypot(*made.data[0].embedding), 1.0, abs_tol=1e-3)


def test_token_ids_reach_a_provider_that_takes_them(relay: ServerProcess) -> None:
    with openai_client(relay.url) as client:
        made = client.embeddings.create(model="up/embed", input=[[1, 2], [3]])
        assert len(made.data) == 2
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model="oll/embed", input=[[1, 2], [3]])


@provider_of
def test_ollama_gets_one_vector_a_text(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str
) -> None:
    with ollama_client(relay.url) as client:
        made = client.embed(f"{provider}/embed?shuffled=1", TEXTS, truncate=True)
        assert_agreed(relay, upstream, (made.prompt_eval_count or 0, 0))
        older = client.embeddings(f"{provider}/embed", TEXTS[0])
        assert client.embed(f"{provider}/embed", []).embeddings == []
    assert all(is_close(vector, text) for vector, text in zip(made.embeddings, TEXTS, strict=True))
    assert is_close(older.embedding, TEXTS[0])


@provider_of
def test_langchain_embeds_documents_and_a_query(relay: ServerProcess, provider: str) -> None:
    from langchain_ollama import OllamaEmbeddings
    from langchain_openai import OpenAIEmbeddings
    from pydantic import SecretStr

    model, at_once = f"{provider}/embed", {"connection": "close"}
    native = OllamaEmbeddings(model=model, base_url=relay.url, client_kwargs={"headers": at_once})
    # Else it sends token ids, for which it would have to load a vocabulary.
    with openai.DefaultHttpxClient() as http:
        plain: Any = OpenAIEmbeddings(
            model=model,
            base_url=f"{relay.url}/v1",
            api_key=SecretStr("none"),
            check_embedding_ctx_length=False,
            http_client=http,
        )
        for embeddings in (native, plain):
            vectors = embeddings.embed_documents(TEXTS)
            assert all(is_close(vector, text) for vector, text in zip(vectors, TEXTS, strict=True))
            assert is_close(embeddings.embed_query("a question"), "a question")


@provider_of
def test_a_failure_is_of_its_kind(relay: ServerProcess, provider: str) -> None:
    limited = f"{provider}/fault/429?of=embed"
    with openai_client(relay.url) as client:
        with pytest.raises(openai.RateLimitError):
            client.embeddings.create(model=limited, input="a")
        with pytest.raises(openai.NotFoundError) as unknown:
            client.embeddings.create(model="nothing", input="a")
    assert unknown.value.code == "model_not_found"
    with ollama_client(relay.url) as native:
        for model, status in ((limited, 429), ("nothing", 404)):
            with pytest.raises(ollama.ResponseError) as failure:
                native.embed(model, "a")
            assert failure.value.status_code == status
