"""Assembles the API listener: the framework's routes, the hot routes in front of them, and the gate."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from litestar import Litestar, Request, Response, asgi
from litestar.di import Provide
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from structlog.typing import FilteringBoundLogger

from relay.adapters.dialects import (
    anthropic_messages,
    embeddings,
    ollama_chat,
    ollama_generate,
    openai_chat,
    openai_completions,
    openai_responses,
)
from relay.adapters.inbound.http import (
    health,
    kept_responses,
    ollama,
    ollama_account,
    ollama_loaded,
    ollama_management,
    openai,
)
from relay.adapters.inbound.http.access import MAX_PATH_CHARACTERS, AccessLog, line_of
from relay.adapters.inbound.http.chat import DEFAULT_PATIENCE, ChatRoute, Patience, ServeChat
from relay.adapters.inbound.http.credentials import Senders, read_sender
from relay.adapters.inbound.http.dispatch import Dispatch
from relay.adapters.inbound.http.embeddings import EmbeddingsRoute, ServeEmbeddings
from relay.adapters.inbound.http.errors import ErrorShapes, error_headers, unexpected
from relay.adapters.inbound.http.gate import Gate
from relay.adapters.inbound.http.health import Readiness, ReadinessCheck, nothing
from relay.adapters.inbound.http.hot_route import HotRoute, Surroundings
from relay.adapters.inbound.http.messages import CountTokensRoute, MessagesRoute
from relay.adapters.inbound.http.ollama_loaded import keeping
from relay.adapters.inbound.http.origins import BrowserGuard
from relay.adapters.inbound.http.responses import ResponsesRoute
from relay.adapters.inbound.http.services import ServeService, service_routes
from relay.adapters.inbound.http.several_prompts import each_prompt
from relay.adapters.inbound.http.traffic import Traffic
from relay.application.authenticate import Authenticate
from relay.application.calls import Caller
from relay.application.count_tokens import CountTokens
from relay.application.kept_responses import ResponseStore
from relay.application.list_models import ListModels
from relay.application.loaded_models import LoadedModels
from relay.application.manage.models import ManageModels
from relay.application.ports import CatalogSource, Clock, Ids
from relay.domain.errors import InvalidRequest, RelayError, UnknownRoute, WrongMethod

SHAPES = ErrorShapes(
    openai=openai_chat.DIALECT, anthropic=anthropic_messages.DIALECT, ollama=ollama_chat.DIALECT
)


def create_api(
    *,
    relay_chat: ServeChat,
    relay_embeddings: ServeEmbeddings,
    relay_service: ServeService,
    authenticate: Authenticate,
    list_models: ListModels,
    manage_models: ManageModels,
    responses: ResponseStore,
    count_tokens: CountTokens,
    catalog: CatalogSource,
    clock: Clock,
    ids: Ids,
    ready: ReadinessCheck,
    degraded: ReadinessCheck = nothing,
    access: AccessLog,
    log: FilteringBoundLogger,
    patience: Patience = DEFAULT_PATIENCE,
    traffic: Traffic | None = None,
    guard: BrowserGuard | None = None,
    hot_in_front: bool = True,
) -> Gate:
    """The listener. With `hot_in_front` off, the framework routes the hot paths, too: slower, else the same."""
    traffic = traffic or Traffic()
    loaded_models = LoadedModels(list_models=list_models, clock=clock)
    around = Surroundings(
        shapes=SHAPES,
        senders=Senders(authenticate),
        clock=clock,
        traffic=traffic,
        log=log,
        patience=patience,
    )
    serve_chat = keeping(loaded_models, relay_chat)
    hot = _chat_routes(serve_chat, responses, count_tokens, around)
    hot |= _ollama_routes(serve_chat, catalog, loaded_models, around)
    hot |= _embeddings_routes(keeping(loaded_models, relay_embeddings), around)
    hot |= service_routes(relay_service, around)
    readiness = Readiness(traffic, ready, degraded)
    dependencies = _dependencies(authenticate, list_models, manage_models, loaded_models, readiness)
    dependencies["responses"] = Provide(lambda: responses, sync_to_thread=False)
    routes = Dispatch(
        hot if hot_in_front else {},
        _framework(hot, dependencies, log),
        shapes=SHAPES,
        log=log,
        body_bytes=patience.body_bytes,
        body_s=patience.body_s,
    )
    return Gate(routes, shapes=SHAPES, traffic=traffic, clock=clock, ids=ids, access=access, guard=guard)


def _chat_routes(
    serve: ServeChat, responses: ResponseStore, count_tokens: CountTokens, around: Surroundings
) -> dict[str, HotRoute]:
    return {
        **_openai_routes(serve, around),
        **_responses_routes(serve, responses, around),
        **_messages_routes(serve, count_tokens, around),
    }


def _openai_routes(serve: ServeChat, around: Surroundings) -> dict[str, HotRoute]:
    """Also where clients end up whose base URL lacks `/v1`, or ends in Open WebUI's `/api`."""
    chat = ChatRoute(dialect=openai_chat.DIALECT, serve=serve, **around)
    completions = ChatRoute(dialect=openai_completions.DIALECT, serve=each_prompt(serve), **around)
    return {
        "/v1/chat/completions": chat,
        "/chat/completions": chat,
        "/api/chat/completions": chat,
        "/v1/completions": completions,
        "/completions": completions,
    }


def _responses_routes(
    serve: ServeChat, responses: ResponseStore, around: Surroundings
) -> dict[str, HotRoute]:
    route = ResponsesRoute(dialect=openai_responses.DIALECT, serve=serve, kept=responses, **around)
    return {"/v1/responses": route, "/responses": route}


def _messages_routes(
    serve: ServeChat, count_tokens: CountTokens, around: Surroundings
) -> dict[str, HotRoute]:
    dialect = anthropic_messages.DIALECT
    messages = MessagesRoute(dialect=dialect, serve=serve, **around)
    count = CountTokensRoute(dialect=dialect, serve=serve, count=count_tokens, **around)
    return {
        "/v1/messages": messages,
        "/messages": messages,
        "/v1/messages/count_tokens": count,
        "/messages/count_tokens": count,
    }


def _ollama_routes(
    serve: ServeChat, catalog: CatalogSource, loaded_models: LoadedModels, around: Surroundings
) -> dict[str, HotRoute]:
    chat_preload = keeping(loaded_models, ollama.preload_chat(catalog))
    generate_preload = keeping(loaded_models, ollama.preload_generate(catalog))
    return {
        "/api/chat": ChatRoute(dialect=ollama_chat.DIALECT, serve=serve, preload=chat_preload, **around),
        "/api/generate": ChatRoute(
            dialect=ollama_generate.DIALECT, serve=serve, preload=generate_preload, **around
        ),
    }


def _embeddings_routes(serve: ServeEmbeddings, around: Surroundings) -> dict[str, HotRoute]:
    openai_route = EmbeddingsRoute(dialect=embeddings.OPENAI, serve=serve, **around)
    return {
        "/v1/embeddings": openai_route,
        "/embeddings": openai_route,
        "/api/embed": replace(openai_route, dialect=embeddings.OLLAMA),
        "/api/embeddings": replace(openai_route, dialect=embeddings.OLLAMA_LEGACY),
    }


def _framework(
    hot: Mapping[str, HotRoute], dependencies: dict[str, Provide], log: FilteringBoundLogger
) -> Litestar:
    return Litestar(
        route_handlers=[
            *(asgi(path, copy_scope=False)(route.__call__) for path, route in hot.items()),
            *health.ROUTES,
            *kept_responses.ROUTES,
            *ollama.ROUTES,
            *ollama_account.ROUTES,
            *ollama_loaded.ROUTES,
            *ollama_management.ROUTES,
            *openai.ROUTES,
        ],
        dependencies=dependencies,
        exception_handlers={HTTPException: _answer_with(log), Exception: _answer_with(log)},
        request_max_body_size=None,  # the size and the pace of a body are held before the framework
        openapi_config=None,
        logging_config=None,
    )


def _dependencies(
    authenticate: Authenticate,
    list_models: ListModels,
    manage_models: ManageModels,
    loaded_models: LoadedModels,
    readiness: Readiness,
) -> dict[str, Provide]:
    def caller(request: Request[Any, Any, Any]) -> Caller:
        found = authenticate(read_sender(request.scope["headers"]).credential)
        line_of(request.scope["state"]).key = found.key.name if found.key else ""
        return found

    return {
        "caller": Provide(caller, sync_to_thread=False),
        "list_models": Provide(lambda: list_models, sync_to_thread=False),
        "manage_models": Provide(lambda: manage_models, sync_to_thread=False),
        "loaded_models": Provide(lambda: loaded_models, sync_to_thread=False),
        "readiness": Provide(lambda: readiness, sync_to_thread=False),
    }


def _answer_with(log: FilteringBoundLogger) -> Callable[[Request[Any, Any, Any], Exception], Response[bytes]]:
    """The one exception handler: no error body of the framework's reaches a client."""

    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        line = line_of(request.scope["state"])
        failure = _as_relay_error(error, request) or unexpected(log, line.request_id, error)
        line.outcome, line.error = "error", failure.code or type(failure).__name__
        wire = SHAPES.encode(failure, request.scope["path"])
        made_by_response = (b"content-type", b"content-length")
        headers = {
            name.decode(): value.decode()
            for name, value in error_headers(failure, wire, line.request_id)
            if name not in made_by_response
        }
        return Response(wire.body, status_code=wire.status, headers=headers, media_type=wire.content_type)

    return answer


def _as_relay_error(error: Exception, request: Request[Any, Any, Any]) -> RelayError | None:
    """What the framework has refused, in the relay's words; `None` for what nobody foresaw."""
    match error:
        case RelayError():
            return error
        case NotFoundException():
            return UnknownRoute(
                f"unknown route: {request.method} {request.scope['path'][:MAX_PATH_CHARACTERS]}"
            )
        case MethodNotAllowedException():
            allowed = (error.headers or {}).get("allow", "")
            return WrongMethod(
                f"this route does not take {request.method}", allowed=tuple(allowed.split(", "))
            )
        case HTTPException() if 400 <= error.status_code < 500:
            return InvalidRequest(error.detail, status=error.status_code)
        case _:
            return None
