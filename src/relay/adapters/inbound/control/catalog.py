"""What can be called and where a name leads, in the words of the command line: from the server, or without one."""

from collections.abc import Iterator
from typing import assert_never

import msgspec

from relay.adapters.inbound.cli.programs import ExplainedName, ExplainedStep, ModelLine
from relay.adapters.inbound.control.server import Handler
from relay.adapters.inbound.control.wire import Answer
from relay.application.plan_call import read_name
from relay.application.ports import CatalogSource
from relay.domain.catalog import Alias, Catalog, ModelEntry, Pool, Redirect, Router
from relay.domain.resolution import Ask, Direct, Unknown


class _Explain(msgspec.Struct, forbid_unknown_fields=True):
    do: str
    name: str


def catalog_handlers(source: CatalogSource) -> dict[str, Handler]:
    """Handlers of `models` and `explain`."""

    async def do_models(line: bytes) -> Answer:
        return {"items": msgspec.to_builtins(list(model_lines(source.current())))}

    async def do_explain(line: bytes) -> Answer:
        asked = msgspec.json.decode(line, type=_Explain)
        answer: Answer = msgspec.to_builtins(explained(asked.name, source.current()))
        return answer

    return {"models": do_models, "explain": do_explain}


def model_lines(catalog: Catalog) -> Iterator[ModelLine]:
    """Every name a caller may use: virtual models first, then the providers' own."""
    for virtual in catalog.virtuals:
        match virtual:
            case Alias(name=name, target=target):
                yield ModelLine(name=name, kind="alias", leads_to=target)
            case Pool(name=name, targets=targets):
                yield ModelLine(name=name, kind="pool", leads_to=", ".join(targets))
            case Router(name=name, candidates=candidates):
                leads_to = ", ".join(candidate.model for candidate in candidates)
                yield ModelLine(name=name, kind="router", leads_to=leads_to)
            case Redirect():
                pass  # an invisible rename is not listed
            case _:
                assert_never(virtual)
    for provider in catalog.providers:
        for model in provider.models:
            yield ModelLine(
                name=f"{provider.name}/{model.id}",
                kind="model",
                context_tokens=model.context_tokens,
                capabilities=_known(model),
                base_context_tokens=model.base.context_tokens if model.base else None,
                base_capabilities=_known(model.base) if model.base else None,
            )


def _known(model: ModelEntry) -> tuple[str, ...]:
    return model.capabilities.listed() if model.capabilities.known else ()


def explained(text: str, catalog: Catalog) -> ExplainedName:
    """Where a name, with or without tags, leads."""
    name, tags, resolution = read_name(text, catalog)
    by = ""
    targets: tuple[str, ...] = ()
    closest: tuple[str, ...] = ()
    match resolution:
        case Direct():
            by, targets = resolution.resolved_by, tuple(str(target) for target in resolution.targets)
        case Ask(router=router):
            by, targets = "router", tuple(candidate.model for candidate in router.candidates)
        case Unknown():
            closest = resolution.closest
        case _:
            assert_never(resolution)
    return ExplainedName(
        name=name,
        resolved_by=by,
        targets=targets,
        tags=tags,
        trace=tuple(
            ExplainedStep(step=step.step, name=step.name, found=step.found) for step in resolution.trace
        ),
        closest=closest,
        wires=tuple(_wire(target, catalog) for target in targets),
    )


def _wire(target: str, catalog: Catalog) -> str:
    provider = catalog.provider(target.partition("/")[0])
    return "" if provider is None else provider.wire
