"""The routes of Ollama that manage models: what is served counts as pulled, and nothing is changed.

Theory of operation. The relay serves its providers' models and holds none. A model it serves is there already,
so pulling it succeeds without a call to anybody: clients pull what they miss before they use it. Everything else
would change a provider, for which a caller needs a right that the relay's keys cannot give: it is refused, after
the checks that a real server makes first, in its order and words (`server/routes.go` of Ollama).
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, delete, head, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, RawBody, SkipValidation

from relay.adapters.dialects import lenient
from relay.adapters.inbound.http.access import line_of
from relay.adapters.inbound.http.ollama_body import is_streamed, read_members, text_of
from relay.application.calls import Caller
from relay.application.list_models import ListModels
from relay.domain.errors import Forbidden, InvalidRequest, ResolutionError, UnknownModel

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
_NAMESPACE = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}"
_HOST = r"(?:https?://)?[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}"
_NAME = re.compile(f"(?:(?:{_HOST}/)?{_NAMESPACE}/)?{_PART}(?::{_PART})?")
"""`[host/][namespace/]model[:tag]`, as Ollama reads it."""

_DIGEST = re.compile("sha256[:-][0-9a-fA-F]{64}")

_NOT_PULLED = (
    "pull model manifest: file does not exist: this relay serves its providers' models and pulls no others"
)
"""The first half is what Ollama says of a model its registry does not know."""

_UNKNOWN = "model_not_found"
_SUCCESS = {"status": "success"}


@post("/api/pull", status_code=200)
async def pull(
    body: RawBody,
    request: Request[Any, Any, Any],
    list_models: NamedDependency[SkipValidation[ListModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> Response[Any]:
    """Success for what is served. As with Ollama, a stream tells in a line of its own that a model is unknown."""
    members = read_members(body)
    is_stream = is_streamed(members)
    name = text_of(members, "model", "name")
    is_there = _is_served(name, list_models, caller)
    if not (is_there or _NAME.fullmatch(name)):
        raise InvalidRequest("invalid model name", param="model")
    if not is_stream:
        if not is_there:
            raise ResolutionError(_NOT_PULLED, code=_UNKNOWN)
        return Response(lenient.encode(_SUCCESS), media_type="application/json")
    if not is_there:
        line = line_of(request.scope["state"])
        line.outcome, line.error = "error", _UNKNOWN
    told = ({"status": "pulling manifest"}, _SUCCESS if is_there else {"error": _NOT_PULLED})
    return Response(b"".join(lenient.encode(one) + b"\n" for one in told), media_type="application/x-ndjson")


@post("/api/push")
async def push(
    body: RawBody,
    list_models: NamedDependency[SkipValidation[ListModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> None:
    """Refused."""
    name = text_of(read_members(body), "model", "name")
    if not name:
        raise InvalidRequest("model is required", param="model")
    if not _is_served(name, list_models, caller):
        raise UnknownModel(name)
    raise _refused("pushing models")


@post("/api/create")
async def create(
    body: RawBody,
    list_models: NamedDependency[SkipValidation[ListModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> None:
    """Refused. Where `from` leads is not looked at: a real server pulls what it has not."""
    members = read_members(body)
    name = text_of(members, "model", "name")
    if not (_NAME.fullmatch(name) or _is_served(name, list_models, caller)):
        raise InvalidRequest("invalid model name", param="model")
    if not (text_of(members, "from") or members.get("files")):
        raise InvalidRequest("neither 'from' or 'files' was specified", param="from")
    raise _refused("creating models")


@post("/api/copy")
async def copy(
    body: RawBody,
    list_models: NamedDependency[SkipValidation[ListModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> None:
    """Refused."""
    members = read_members(body)
    source, destination = text_of(members, "source"), text_of(members, "destination")
    is_there = _is_served(source, list_models, caller)
    if not (is_there or _NAME.fullmatch(source)):
        raise InvalidRequest(f"source {_quoted(source)} is invalid", param="source")
    if not _NAME.fullmatch(destination):
        raise InvalidRequest(f"destination {_quoted(destination)} is invalid", param="destination")
    if not is_there:
        raise ResolutionError(f"model {_quoted(source)} not found", code=_UNKNOWN)
    raise _refused("copying models")


@delete("/api/delete")
async def remove(
    body: RawBody,
    list_models: NamedDependency[SkipValidation[ListModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> None:
    """Refused. The request has a body, which is unusual for its method."""
    name = text_of(read_members(body), "model", "name")
    if not _is_served(name, list_models, caller):
        if not _NAME.fullmatch(name):
            raise InvalidRequest(f"name {_quoted(name)} is invalid", param="model")
        raise UnknownModel(name)
    raise _refused("deleting models")


@head("/api/blobs/{digest:str}")
async def find_blob(digest: FromPath[str], caller: NamedDependency[SkipValidation[Caller]]) -> None:
    """There are none here."""
    _check_digest(digest)
    raise ResolutionError(f"blob {_quoted(digest)} not found", code="blob_not_found")


@post("/api/blobs/{digest:str}")
async def store_blob(digest: FromPath[str], caller: NamedDependency[SkipValidation[Caller]]) -> None:
    """Refused, and the blob, which may have gigabytes, is not read."""
    _check_digest(digest)
    raise _refused("storing blobs")


ROUTES: Sequence[BaseRouteHandler] = (pull, push, create, copy, remove, find_blob, store_blob)


def _is_served(name: str, list_models: ListModels, caller: Caller) -> bool:
    try:
        return bool(name) and bool(list_models.find(name, caller))
    except UnknownModel:
        return False


def _check_digest(digest: str) -> None:
    if _DIGEST.fullmatch(digest) is None:
        raise InvalidRequest("invalid digest format", param="digest")


def _refused(what: str) -> Forbidden:
    return Forbidden(
        f"{what} is not enabled on this relay: it serves its providers' models and changes none",
        code="management_not_enabled",
    )


def _quoted(text: str) -> str:
    """In double quotes with escapes, as Go's `%q`."""
    return json.dumps(text, ensure_ascii=False)
