"""The small routes of Responses: an answer that is kept, its items, and its end."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, SkipValidation

from relay.adapters.dialects import lenient
from relay.application.calls import Caller
from relay.application.kept_responses import KeptResponse, ResponseStore, owner_of
from relay.domain.errors import InvalidRequest

_JSON = "application/json"
_MAX_PAGE = 100


@get(["/v1/responses/{response_id:str}", "/responses/{response_id:str}"])
async def retrieve(
    response_id: FromPath[str],
    responses: NamedDependency[SkipValidation[ResponseStore]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> Response[bytes]:
    """The answer as it was given."""
    return Response(_found(responses, response_id, caller).json, media_type=_JSON)


@get(["/v1/responses/{response_id:str}/input_items", "/responses/{response_id:str}/input_items"])
async def list_input(
    *,
    response_id: FromPath[str],
    responses: NamedDependency[SkipValidation[ResponseStore]],
    caller: NamedDependency[SkipValidation[Caller]],
    limit: FromQuery[int] = 20,
    after: FromQuery[str] = "",
    order: FromQuery[str] = "desc",
) -> Response[bytes]:
    """A page of what was asked, with everything that went before."""
    found = _found(responses, response_id, caller)
    items = list(found.input) if order == "asc" else list(reversed(found.input))
    places = [item_id for item_id, _ in items]
    if after and after not in places:
        raise InvalidRequest(f"no item with id '{after[:80]}' in this response", param="after")
    rest = items[places.index(after) + 1 :] if after else items
    page = rest[: max(1, min(limit, _MAX_PAGE))]
    listed = {
        "object": "list",
        "data": [msgspec.Raw(json) for _, json in page],
        "first_id": page[0][0] if page else None,
        "last_id": page[-1][0] if page else None,
        "has_more": len(page) < len(rest),
    }
    return Response(lenient.encode(listed), media_type=_JSON)


@delete(["/v1/responses/{response_id:str}", "/responses/{response_id:str}"], status_code=200)
async def forget(
    response_id: FromPath[str],
    responses: NamedDependency[SkipValidation[ResponseStore]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> Response[bytes]:
    """Forget an answer."""
    if not responses.drop(response_id, owner_of(caller)):
        raise _unknown(response_id)
    told = {"id": response_id, "object": "response", "deleted": True}
    return Response(lenient.encode(told), media_type=_JSON)


@post(["/v1/responses/{response_id:str}/cancel", "/responses/{response_id:str}/cancel"])
async def cancel(
    response_id: FromPath[str],
    responses: NamedDependency[SkipValidation[ResponseStore]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> Response[Any]:
    """Refused: what is kept is complete, as nothing runs in the background."""
    _found(responses, response_id, caller)
    raise InvalidRequest("Cannot cancel a synchronous response.")


def _found(responses: ResponseStore, response_id: str, caller: Caller) -> KeptResponse:
    found = responses.find(response_id, owner_of(caller))
    if found is None:
        raise _unknown(response_id)
    return found


def _unknown(response_id: str) -> InvalidRequest:
    return InvalidRequest(f"Response with id '{response_id[:80]}' not found.", status=404)


ROUTES: Sequence[BaseRouteHandler] = (retrieve, list_input, forget, cancel)
