"""What is loaded: `/api/ps`, and the calls that load, keep and unload models."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import SkipValidation

from relay.adapters.dialects import lenient
from relay.adapters.dialects.ollama_chat.options import keep_alive_s
from relay.adapters.dialects.ollama_chat.reading import top_level
from relay.adapters.inbound.http.cards import loaded_entry
from relay.application.calls import Caller, ChatCall, EmbedCall
from relay.application.loaded_models import LoadedModels
from relay.application.ports import AnyReply, Hangup


@get("/api/ps")
async def loaded(
    loaded_models: NamedDependency[SkipValidation[LoadedModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> Response[Any]:
    """The models the caller has loaded through the relay, the longest kept first."""
    listed = [loaded_entry(model.card, model.expires_ms // 1000) for model in loaded_models(caller)]
    return Response(lenient.encode({"models": listed}), media_type="application/json; charset=utf-8")


ROUTES: Sequence[BaseRouteHandler] = (loaded,)


def keeping[C: (ChatCall, EmbedCall), R: AnyReply](
    loaded_models: LoadedModels, serve: Callable[[C, R, Hangup], Awaitable[None]]
) -> Callable[[C, R, Hangup], Awaitable[None]]:
    """Serves as `serve`, and keeps the model loaded for as long as the caller asks. Raises `InvalidRequest`."""

    async def kept(call: C, reply: R, hangup: Hangup) -> None:
        keep_s = _keep_s(call.dialect, call.original.body)
        with loaded_models.using(call.name, call.caller, keep_s, reply):
            await serve(call, reply, hangup)

    return kept


def _keep_s(dialect: str, body: bytes) -> float | None:
    """The `keep_alive` of a call in seconds, which Ollama's own dialects alone have."""
    if not dialect.startswith("ollama."):
        return None
    for name, value in top_level(body).items():
        if name.lower() == "keep_alive":
            return keep_alive_s(value)
    return None
