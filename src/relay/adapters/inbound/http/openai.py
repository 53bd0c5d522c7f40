"""The small routes of OpenAI: the list of models and one model, also for clients that leave `/v1` out."""

from collections.abc import Sequence
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, SkipValidation

from relay.adapters.dialects import lenient
from relay.adapters.inbound.http.cards import openai_entry, openai_list
from relay.adapters.inbound.http.encoded_listing import EncodedListing
from relay.application.calls import Caller
from relay.application.list_models import ListModels

_JSON = "application/json"

_models = EncodedListing(openai_list)


@get(["/v1/models", "/models"])
async def list_all(
    list_models: NamedDependency[SkipValidation[ListModels]], caller: NamedDependency[SkipValidation[Caller]]
) -> Response[Any]:
    """Everything the caller may name, on one page."""
    return Response(_models(list_models(caller)), media_type=_JSON)


@get(["/v1/models/{model_id:path}", "/models/{model_id:path}"])
async def retrieve(
    model_id: FromPath[str],
    list_models: NamedDependency[SkipValidation[ListModels]],
    caller: NamedDependency[SkipValidation[Caller]],
) -> Response[Any]:
    """One model; ids have slashes, raw or percent-encoded, and colons."""
    asked = model_id.removeprefix("/")
    card = list_models.find(asked, caller)
    return Response(lenient.encode(openai_entry(card, asked)), media_type=_JSON)


ROUTES: Sequence[BaseRouteHandler] = (list_all, retrieve)
