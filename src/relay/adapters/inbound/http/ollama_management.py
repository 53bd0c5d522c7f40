"""The routes of Ollama that manage models: what is served counts as pulled, all else is for admins.

Theory of operation. A model the relay serves is there already, so pulling it succeeds without a call to anybody:
clients pull what they miss before they use it. Everything else changes a provider for everybody who uses it: it
reaches a provider that is managed, for callers with admin scope, and is refused otherwise, after the checks that a
real server makes first, in its order and words (`server/routes.go` of Ollama). Whether a model is there is for the
provider to say where it is asked. The provider always streams, so that no wait for its end is a wait for nothing.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from litestar import Request, delete, head, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, RawBody, SkipValidation
from litestar.response.base import ASGIResponse

from relay.adapters.dialects import lenient
from relay.adapters.inbound.http.access import line_of
from relay.adapters.inbound.http.ollama_body import Members, is_streamed, read_members, text_of
from relay.adapters.inbound.http.ollama_progress import ProgressAnswer
from relay.application.calls import Caller
from relay.application.list_models import ListModels
from relay.application.manage.models import AT_ONCE, Change, ManageModels, not_enabled
from relay.domain.errors import InvalidRequest, ResolutionError, UnknownModel

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
    manage_models: NamedDependency[SkipValidation[ManageModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> ASGIResponse:
    """Success for what is served. As with Ollama, a stream tells in a line of its own that a model is unknown."""
    members = read_members(body)
    is_stream = is_streamed(members)
    name = text_of(members, "model", "name")
    is_there = _is_served(name, list_models, caller) and not manage_models.lacks(name, caller)
    if not (is_there or _is_name(name, manage_models)):
        raise InvalidRequest("invalid model name", param="model")
    if not is_there and manage_models.is_enabled:
        return _changed("pull", members, {"model": name}, manage_models, caller)
    if not is_stream:
        if not is_there:
            raise ResolutionError(_NOT_PULLED, code=_UNKNOWN)
        return ASGIResponse(body=lenient.encode(_SUCCESS), media_type="application/json")
    if not is_there:
        line = line_of(request.scope["state"])
        line.outcome, line.error = "error", _UNKNOWN
    told = ({"status": "pulling manifest"}, _SUCCESS if is_there else {"error": _NOT_PULLED})
    return ASGIResponse(
        body=b"".join(lenient.encode(one) + b"\n" for one in told), media_type="application/x-ndjson"
    )


@post("/api/push", status_code=200)
async def push(
    body: RawBody,
    list_models: NamedDependency[SkipValidation[ListModels]],
    manage_models: NamedDependency[SkipValidation[ManageModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> ASGIResponse:
    """To the registry that the model's own name means."""
    members = read_members(body)
    name = text_of(members, "model", "name")
    if not name:
        raise InvalidRequest("model is required", param="model")
    if not (manage_models.may(caller) or _is_served(name, list_models, caller)):
        raise UnknownModel(name)
    return _changed("push", members, {"model": name}, manage_models, caller)


@post("/api/create", status_code=200)
async def create(
    body: RawBody,
    list_models: NamedDependency[SkipValidation[ListModels]],
    manage_models: NamedDependency[SkipValidation[ManageModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> ASGIResponse:
    """Where `from` leads is not looked at: a real server pulls what it has not."""
    members = read_members(body)
    name, source = text_of(members, "model", "name"), text_of(members, "from")
    if not (_is_name(name, manage_models) or _is_served(name, list_models, caller)):
        raise InvalidRequest("invalid model name", param="model")
    if not (source or members.get("files")):
        raise InvalidRequest("neither 'from' or 'files' was specified", param="from")
    names = {"model": name} | ({"from": source} if source else {})
    return _changed("create", members, names, manage_models, caller)


@post("/api/copy", status_code=200)
async def copy(
    body: RawBody,
    list_models: NamedDependency[SkipValidation[ListModels]],
    manage_models: NamedDependency[SkipValidation[ManageModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> ASGIResponse:
    """Within one provider."""
    members = read_members(body)
    source, destination = text_of(members, "source"), text_of(members, "destination")
    is_there = _is_served(source, list_models, caller)
    if not (is_there or _is_name(source, manage_models)):
        raise InvalidRequest(f"source {_quoted(source)} is invalid", param="source")
    if not _is_name(destination, manage_models):
        raise InvalidRequest(f"destination {_quoted(destination)} is invalid", param="destination")
    if not (manage_models.may(caller) or is_there):
        raise ResolutionError(f"model {_quoted(source)} not found", code=_UNKNOWN)
    names = {"source": source, "destination": destination}
    return _changed("copy", members, names, manage_models, caller)


@delete("/api/delete", status_code=200)
async def remove(
    body: RawBody,
    list_models: NamedDependency[SkipValidation[ListModels]],
    manage_models: NamedDependency[SkipValidation[ManageModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> ASGIResponse:
    """The request has a body, which is unusual for its method."""
    members = read_members(body)
    name = text_of(members, "model", "name")
    if not _is_served(name, list_models, caller):
        if not _is_name(name, manage_models):
            raise InvalidRequest(f"name {_quoted(name)} is invalid", param="model")
        if not manage_models.may(caller):
            raise UnknownModel(name)
    return _changed("delete", members, {"model": name}, manage_models, caller)


@head("/api/blobs/{digest:str}")
async def find_blob(digest: FromPath[str], caller: NamedDependency[SkipValidation[Caller]]) -> None:
    """There are none here."""
    _check_digest(digest)
    raise ResolutionError(f"blob {_quoted(digest)} not found", code="blob_not_found")


@post("/api/blobs/{digest:str}")
async def store_blob(digest: FromPath[str], caller: NamedDependency[SkipValidation[Caller]]) -> None:
    """Refused, and the blob, which may have gigabytes, is not read."""
    _check_digest(digest)
    raise not_enabled("storing blobs")


ROUTES: Sequence[BaseRouteHandler] = (pull, push, create, copy, remove, find_blob, store_blob)


def _is_name(name: str, manage_models: ManageModels) -> bool:
    """As Ollama reads it, with or without the prefix of a provider."""
    return any(_NAME.fullmatch(form) is not None for form in (name, manage_models.own_name(name)))


def _is_served(name: str, list_models: ListModels, caller: Caller) -> bool:
    try:
        return bool(name) and bool(list_models.find(name, caller))
    except UnknownModel:
        return False


def _check_digest(digest: str) -> None:
    if _DIGEST.fullmatch(digest) is None:
        raise InvalidRequest("invalid digest format", param="digest")


def _changed(
    change: Change, members: Members, names: Mapping[str, str], manage_models: ManageModels, caller: Caller
) -> ProgressAnswer:
    """The answer of the provider that `names` mean, which is given its own in their place."""
    streams = change not in AT_ONCE and is_streamed(members)
    order = manage_models.order(change, tuple(names.values()), caller)
    fields = {key: value for key, value in members.items() if key not in ("name", "stream")}
    fields |= dict(zip(names, order.names, strict=True))
    if change not in AT_ONCE:
        fields["stream"] = True
    return ProgressAnswer(partial(manage_models, order, fields), streams=streams, provider=order.provider)


def _quoted(text: str) -> str:
    """In double quotes with escapes, as Go's `%q`."""
    return json.dumps(text, ensure_ascii=False)
