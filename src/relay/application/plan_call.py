"""From a call to its plan: the targets to try, in order, and what is recorded of how they were found."""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from relay.application.calls import Call, Caller, ChatCall
from relay.domain.access import reached
from relay.domain.capabilities import Capability, needed
from relay.domain.catalog import Catalog, Target
from relay.domain.errors import Forbidden, LacksCapability, UnknownModel, Unsupported
from relay.domain.keys import KeyRecord
from relay.domain.names import MAX_NAME_CHARACTERS, split_tags
from relay.domain.resolution import Ask, Direct, Resolution, StepName, Trace, Unknown, resolve
from relay.domain.tags import MAX_TAG_CHARACTERS, MAX_TAGS, Tag, merge, parse
from relay.domain.values import value

MAX_ASKED_CHARACTERS = MAX_NAME_CHARACTERS + MAX_TAGS * (MAX_TAG_CHARACTERS + 2)

MAX_REMEMBERED = 4096

_CHECKED: tuple[Capability, ...] = ("completion", "tools", "thinking", "insert")
"""Known absences that refuse a call. Vision is left to the provider, as Ollama does."""


type PlanCall = Callable[[Call, Catalog], Plan]
"""`plan_targets`, or a `Planner`."""


@value
class Plan:
    """What to try for one call. `name` is the name asked for, without its tags.

    `is_limited` is true when something is known of what a target can do, so that it may be too little.
    """

    name: str
    targets: tuple[Target, ...]
    resolved_by: StepName
    trace: Trace
    tags: tuple[Tag, ...]
    virtual: str = ""
    is_limited: bool = False


def read_name(text: str, catalog: Catalog) -> tuple[str, tuple[str, ...], Resolution]:
    """`model@tag,tag` as name, raw tags and resolution.

    A provider's ids may hold `@` themselves, so the text as a whole comes first when it names a listed model.
    What is longer than any name with its tags leads nowhere: it would be looked for in vain, at length, and be
    echoed in every piece of an answer.
    """
    if len(text) > MAX_ASKED_CHARACTERS:
        return text, (), Unknown(name=text, trace=())
    whole = resolve(text, catalog)
    model, words = split_tags(text)
    if not words or (isinstance(whole, Direct) and _is_listed(whole, catalog)):
        return text, (), whole
    return model, words, resolve(model, catalog)


def _is_listed(resolution: Direct, catalog: Catalog) -> bool:
    return resolution.resolved_by != "default" and all(catalog.model(target) for target in resolution.targets)


def plan_targets(call: Call, catalog: Catalog) -> Plan:
    """The plan of any call, whatever its targets can do.

    Raises `UnknownModel`, and `Forbidden` when the key does not reach any target.
    """
    name, words, resolution = read_name(call.name, catalog)
    match resolution:
        case Unknown(closest=near):
            raise UnknownModel(name, near)
        case Ask(router=router):
            raise Unsupported(f"router {router.name!r} has no designator to ask", param="model")
        case Direct():
            pass
        case _:
            assert_never(resolution)
    targets = _permitted(name, resolution.targets, call.caller.key)
    return Plan(
        name=name,
        targets=targets,
        resolved_by=resolution.resolved_by,
        trace=resolution.trace,
        tags=merge(parse(resolution.tags, "alias"), call.caller.tags, call.tags, parse(words, "model")),
        virtual=resolution.virtual,
        is_limited=any(
            (entry := catalog.model(target)) is not None and entry.capabilities.known for target in targets
        ),
    )


class Planner:
    """`plan_targets`, remembering while the catalog stays the same: callers ask for few names, again and again."""

    def __init__(self) -> None:
        self._catalog: Catalog | None = None
        self._plans: dict[tuple[str, int], tuple[Caller, tuple[Tag, ...], Plan]] = {}

    def __call__(self, call: Call, catalog: Catalog) -> Plan:
        """As `plan_targets`."""
        if catalog is not self._catalog or len(self._plans) >= MAX_REMEMBERED:
            self._catalog, self._plans = catalog, {}
        asked = (call.name, id(call.caller))
        known = self._plans.get(asked)
        if known is not None and known[0] is call.caller and known[1] == call.tags:
            return known[2]
        plan = plan_targets(call, catalog)
        if len(call.name) <= MAX_ASKED_CHARACTERS:
            self._plans[asked] = (call.caller, call.tags, plan)
        return plan


def plan_call(call: ChatCall, catalog: Catalog, plan_of: PlanCall = plan_targets) -> Plan:
    """The plan of a chat call over one snapshot; `plan_of` is `plan_targets`, or a `Planner`.

    Raises as `plan_targets`, and `LacksCapability` when every target is known to lack what the call needs.
    """
    plan = plan_of(call, catalog)
    if not plan.is_limited:
        return plan
    capable = _capable(plan.targets, call, catalog)
    return plan if capable == plan.targets else replace(plan, targets=capable)


def refuses_unthinking(call: Call) -> bool:
    """Whether a call that wants thoughts is to be refused by a model that has none, as Ollama does.

    Clients of other dialects ask for them by default, whatever the model: there they are left out, and it is told.
    """
    return call.dialect.startswith("ollama.")


def _permitted(name: str, targets: tuple[Target, ...], key: KeyRecord | None) -> tuple[Target, ...]:
    permitted = reached(key, name, targets)
    if not permitted:
        raise Forbidden(f"this API key may not use model {name!r}", code="model_not_allowed", param="model")
    return permitted


def _capable(targets: tuple[Target, ...], call: ChatCall, catalog: Catalog) -> tuple[Target, ...]:
    lacking: Capability | None = None
    capable: list[Target] = []
    for target in targets:
        entry = catalog.model(target)
        if entry is None or not entry.capabilities.known:
            capable.append(target)
            continue
        needs = needed(call.original.decode())
        if not refuses_unthinking(call):
            needs -= {"thinking"}
        missing = next((word for word in _CHECKED if word in needs and entry.capabilities.lacks(word)), None)
        lacking = lacking or missing
        if missing is None:
            capable.append(target)
    if lacking is not None and not capable:
        raise LacksCapability(call.name, lacking)
    return tuple(capable)
