"""The small routes of Ollama, and what its hot routes answer when only loading is asked for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litestar import Request, Response, post, route
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import RawBody, SkipValidation

from relay import __version__
from relay.adapters.dialects import lenient, ollama_chat, ollama_generate
from relay.adapters.inbound.http.cards import rfc3339, show_page, tagged, tags_entry
from relay.adapters.inbound.http.chat import ServeChat
from relay.adapters.inbound.http.encoded_listing import EncodedListing
from relay.adapters.inbound.http.ollama_body import read_members, text_of
from relay.application.calls import Caller, ChatCall
from relay.application.list_models import ListModels
from relay.application.plan_call import plan_call, plan_targets
from relay.application.ports import CatalogSource, Hangup, Piece, Reply, ReplyHead
from relay.domain.errors import InvalidRequest

OLLAMA_VERSION = "0.32.15"
"""The version of Ollama whose routes are served. Clients compare it: VS Code refuses anything below 0.6.4."""

_JSON = "application/json; charset=utf-8"
_COPILOT = "GitHubCopilotChat/"

_tags = EncodedListing(lambda cards: {"models": [tags_entry(card) for card in cards]})


@route("/", http_method=["GET", "HEAD"])
async def root() -> Response[Any]:
    """What clients look for to know that an Ollama is there; the header tells a second relay what it met."""
    return Response(b"Ollama is running", media_type="text/plain", headers={"x-relay-version": __version__})


@route("/api/version", http_method=["GET", "HEAD"])
async def version() -> Response[Any]:
    """The version clients decide by what they may use."""
    return _json({"version": OLLAMA_VERSION})


@route("/api/tags", http_method=["GET", "HEAD"])
async def tags(
    list_models: NamedDependency[SkipValidation[ListModels]], caller: NamedDependency[SkipValidation[Caller]]
) -> Response[Any]:
    """Every model the caller may use, newest first."""
    return Response(_tags(list_models(caller)), media_type=_JSON)


@post("/api/show", status_code=200)
async def show(
    body: RawBody,
    request: Request[Any, Any, Any],
    list_models: NamedDependency[SkipValidation[ListModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> Response[Any]:
    """One model's page. Copilot shows `general.basename`, so it gets the name it asked for there."""
    asked = _asked_model(body)
    card = list_models.find(tagged(asked), caller)
    is_copilot = request.headers.get("user-agent", "").startswith(_COPILOT)
    return _json(show_page(card, asked if is_copilot else ""))


ROUTES: Sequence[BaseRouteHandler] = (root, version, tags, show)


def preload_chat(catalog: CatalogSource) -> ServeChat:
    """Serves a chat call without messages."""
    return _preload(catalog, ollama_chat.load_or_unload, {"message": {"role": "assistant", "content": ""}})


def preload_generate(catalog: CatalogSource) -> ServeChat:
    """Serves a generate call without a prompt."""
    return _preload(catalog, ollama_generate.load_or_unload, {"response": ""})


def _preload(
    catalog: CatalogSource, reason_of: Callable[[bytes], str | None], nothing_said: Mapping[str, object]
) -> ServeChat:
    """Serves a call that asks for a model to be loaded, or with `keep_alive` 0 unloaded.

    No provider is called. As at real Ollama, the name has to lead somewhere, and to load something that can answer.
    """

    async def serve(call: ChatCall, reply: Reply, hangup: Hangup) -> None:
        reason = reason_of(call.original.body)
        if reason == "unload":
            plan = plan_targets(call, catalog.current())
        else:
            plan = plan_call(call, catalog.current())
            call.original.decode()  # raises what a call with a prompt would
        target = plan.targets[0]
        reply.prepare(
            ReplyHead(provider=target.provider, model=target.model, resolved_by=plan.resolved_by, attempts=0)
        )
        answer = {
            "model": call.name,
            "created_at": rfc3339(call.received_ns // 1_000_000_000),
            **nothing_said,
            "done": True,
            "done_reason": reason,
        }
        await reply.finish(Piece(events=(), raw=lenient.encode(answer), last=True))

    return serve


def _asked_model(body: bytes) -> str:
    """`model`, or the older `name`. Raises `InvalidRequest`."""
    if name := text_of(read_members(body), "model", "name"):
        return name
    raise InvalidRequest("model is required", param="model")


def _json(value: object) -> Response[Any]:
    return Response(lenient.encode(value), media_type=_JSON)
