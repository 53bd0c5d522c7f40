"""Asks a provider over HTTP what models it offers."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import urljoin, urlsplit

import anyio
import msgspec

from relay.adapters.dialects.base import Dialect
from relay.adapters.outbound.http.endpoint import USER_AGENT
from relay.adapters.outbound.http.failures import refusal
from relay.adapters.outbound.http.interface import (
    HttpRequest,
    RequestHead,
    Timeouts,
    UpstreamHttp,
    read_body,
    read_error_body,
)
from relay.adapters.outbound.providers import listings
from relay.adapters.outbound.providers.listings import Reader
from relay.adapters.outbound.providers.spec import Discovery, ProviderSpec
from relay.application.ports import Clock
from relay.domain.catalog import ModelEntry
from relay.domain.errors import TimedOut, UpstreamError

LIMIT_S = 10.0
MAX_PAGES = 20
MAX_MODELS = 10_000
MAX_CARDS_AT_ONCE = 4

_READERS: Mapping[Discovery, Reader] = {
    "openai.models": listings.untold,
    "openrouter.models": listings.openrouter_style,
    "mistral.models": listings.mistral_style,
    "together.models": listings.together_style,
    "fireworks.models": listings.fireworks_style,
    "cerebras.models": listings.cerebras_style,
    "anthropic.models": listings.anthropic_style,
    "gemini.models": listings.gemini_style,
    "cohere.models": listings.cohere_style,
}


@dataclass(slots=True, kw_only=True)
class HttpModelLister:
    """A `ModelLister` over HTTP; `auth` holds the headers with the key."""

    spec: ProviderSpec
    http: UpstreamHttp
    dialect: Dialect
    clock: Clock
    auth: Mapping[str, str] = field(default_factory=dict, repr=False)
    limit_s: float = LIMIT_S
    _completed: dict[str, ModelEntry] = field(init=False, default_factory=dict)

    async def list_models(self) -> Sequence[ModelEntry]:
        """As `ModelLister.list_models`: without doublets and without models that nothing here is for."""
        try:
            with anyio.fail_after(self.limit_s):
                models = await (self._tags() if self.spec.discovery == "ollama.tags" else self._listed())
        except TimeoutError:
            raise TimedOut("the provider did not list its models in time", phase="total") from None
        if self.spec.embeddings and self.spec.embedding_models_path:
            models += await self._embedders()
        unique: dict[str, ModelEntry] = {}
        for model in models[:MAX_MODELS]:
            if not self._is_hidden(model):
                unique.setdefault(model.id, model)
        if self.spec.discovery == "ollama.tags":
            await self._complete(unique)
        return tuple(unique.values())

    async def _listed(self) -> list[ModelEntry]:
        embedders = self.spec.embedding_models if self.spec.embeddings else ()
        reader = listings.knowing_embedders(embedders, _READERS[self.spec.discovery])
        return await self._pages(self.spec.models_path or "/models", reader)

    async def _embedders(self) -> list[ModelEntry]:
        """The embedding models of a list of their own; one that does not come is left out until the next time."""
        with suppress(UpstreamError), anyio.move_on_after(self.limit_s):
            return await self._pages(self.spec.embedding_models_path, listings.embedder)
        return []

    async def _pages(self, path: str, reader: Reader) -> list[ModelEntry]:
        first = url = f"{self.spec.base_url}{path}"
        models: list[ModelEntry] = []
        for _ in range(MAX_PAGES):
            entries, following = listings.read_page(await self._answer("GET", url))
            models += listings.read_models(entries, reader)
            url = f"{first}{following}" if following.startswith("&") else urljoin(url, following)
            if not following or not _same_origin(url, first):
                break
        return models

    async def _tags(self) -> list[ModelEntry]:
        return listings.read_tags(await self._answer("GET", f"{self.spec.base_url}/api/tags"))

    async def _complete(self, models: dict[str, ModelEntry]) -> None:
        """Ask for the card of each model whose capabilities the list did not tell, once per digest.

        A card that does not come within the limit leaves its model as it is, until the next time.
        """
        unknown = [model for model in models.values() if not model.capabilities.known]
        by_digest = {model.digest or model.id: model for model in unknown}
        self._completed = {key: known for key, known in self._completed.items() if key in by_digest}
        room = anyio.Semaphore(MAX_CARDS_AT_ONCE)
        with anyio.move_on_after(self.limit_s):
            async with anyio.create_task_group() as tasks:
                for key, model in by_digest.items():
                    if key not in self._completed:
                        tasks.start_soon(self._ask_card, key, model, room)
        for model in unknown:
            if (known := self._completed.get(model.digest or model.id)) is not None:
                models[model.id] = replace(known, id=model.id, created=model.created)

    async def _ask_card(self, key: str, model: ModelEntry, room: anyio.Semaphore) -> None:
        body = msgspec.json.encode({"model": model.id})
        async with room:
            try:
                card = await self._answer("POST", f"{self.spec.base_url}/api/show", body)
                self._completed[key] = listings.with_card(model, card)
            except UpstreamError:
                return

    async def _answer(self, method: Literal["GET", "POST"], url: str, body: bytes = b"") -> bytes:
        headers = {"accept": "application/json", "user-agent": USER_AGENT, **self.auth}
        if body:
            headers["content-type"] = "application/json"
        timeouts = Timeouts(first_byte_s=self.limit_s, idle_s=self.limit_s)
        head = RequestHead(method, url, headers, client=self.spec.http_client)
        response = await self.http.send(HttpRequest(head, body, timeouts=timeouts))
        try:
            if response.status < 300:
                return await read_body(response)
            fault = self.dialect.decode_error(await read_error_body(response))
            now_s = self.clock.unix_ms() / 1000
            raise refusal(response.status, response.headers, fault, now_s=now_s)
        finally:
            await response.aclose()

    def _is_hidden(self, model: ModelEntry) -> bool:
        if model.capabilities == listings.EMBEDDER:
            return False
        return any(fnmatchcase(model.id.lower(), pattern) for pattern in self.spec.not_chat)


def _same_origin(one: str, other: str) -> bool:
    """The key goes along with every request, so it must not follow a list to another place."""
    return urlsplit(one)[:2] == urlsplit(other)[:2]
