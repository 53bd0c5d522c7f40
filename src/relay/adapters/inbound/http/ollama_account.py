"""The routes of Ollama that speak of an ollama.com account, answered as by a server that is signed out.

The relay has no such account and calls no such service: its cloud is off, and its providers are elsewhere.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, RawBody, SkipValidation

from relay.adapters.dialects import lenient
from relay.adapters.inbound.http.access import line_of
from relay.application.calls import Caller
from relay.domain.errors import AccessError, Forbidden, InvalidRequest

SIGN_IN_URL = "https://ollama.com/connect"
"""Where Ollama's own clients send whoever wants an account there; a real server adds its public key."""

_JSON = "application/json; charset=utf-8"


@get("/api/status")
async def status(caller: NamedDependency[SkipValidation[Caller]]) -> Response[Any]:
    """The hosted service is switched off, as by the configuration of a real server."""
    return _json({"cloud": {"disabled": True, "source": "config"}})


@post("/api/me")
async def whoami(
    request: Request[Any, Any, Any], caller: NamedDependency[SkipValidation[Caller]]
) -> Response[Any]:
    """Nobody is signed in."""
    line = line_of(request.scope["state"])
    line.outcome, line.error = "error", "signed_out"
    return _json({"error": "unauthorized", "signin_url": SIGN_IN_URL}, status=401)


@post("/api/signout")
async def sign_out(caller: NamedDependency[SkipValidation[Caller]]) -> None:
    """There is nobody to sign out."""
    raise _signed_out()


@delete("/api/user/keys/{key:str}")
async def forget_key(key: FromPath[str], caller: NamedDependency[SkipValidation[Caller]]) -> None:
    """The older form of signing out; the key is one of ollama.com's, never one of the relay's."""
    raise _signed_out()


@get("/api/experimental/model-recommendations")
async def recommendations(caller: NamedDependency[SkipValidation[Caller]]) -> Response[Any]:
    """The relay recommends nothing: what it serves is in the list of models."""
    return _json({"recommendations": []})


@post(["/api/experimental/web_search", "/api/web_search"])
async def web_search(body: RawBody, caller: NamedDependency[SkipValidation[Caller]]) -> None:
    """Done by the hosted service, which is off."""
    raise _disabled("web search", body)


@post(["/api/experimental/web_fetch", "/api/web_fetch"])
async def web_fetch(body: RawBody, caller: NamedDependency[SkipValidation[Caller]]) -> None:
    """Done by the hosted service, which is off."""
    raise _disabled("web fetch", body)


ROUTES: Sequence[BaseRouteHandler] = (
    status,
    whoami,
    sign_out,
    forget_key,
    recommendations,
    web_search,
    web_fetch,
)


def _signed_out() -> AccessError:
    return AccessError("you are not currently signed in", code="signed_out")


def _disabled(service: str, body: bytes) -> InvalidRequest | Forbidden:
    """The words are Ollama's, which clients look for."""
    if not body.strip():
        return InvalidRequest("missing request body")
    return Forbidden(f"ollama cloud is disabled: {service} is unavailable", code="cloud_disabled")


def _json(value: object, status: int = 200) -> Response[Any]:
    return Response(lenient.encode(value), status_code=status, media_type=_JSON)
