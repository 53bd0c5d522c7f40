"""The rules of virtual models that their types cannot say: names, kinds, tags, wildcards and loops."""

from collections.abc import Iterator, Mapping

from relay.domain.catalog import Catalog, Router, Target
from relay.domain.names import MAX_NAME_CHARACTERS, normalise
from relay.domain.resolution import MAX_DEPTH, by_alias, by_pool, by_redirect, by_wildcard
from relay.domain.tags import MAX_TAG_CHARACTERS, MAX_TAGS, looks_secret, parse
from relay.settings.mistakes import Finding
from relay.settings.places import Path
from relay.settings.tree import Model, virtual

_KINDS = ("target", "redirect", "targets")
_ONLY_OF: Mapping[str, tuple[str, ...]] = {
    "policy": ("targets",),
    "tags": ("target", "targets"),
    "description": ("target", "targets"),
}
"""Keys that mean something to some kinds only."""


def model_findings(models: Mapping[str, Model]) -> Iterator[Finding]:
    """What is wrong with the models, their fields taken for right. Paths begin at the model's name."""
    for name, model in models.items():
        for rule in (_name, _kind, _blanks, _wildcards, _tags):
            yield from rule(name, model)
    yield from _same_names(models)
    yield from _loops(models)


def _name(name: str, model: Model) -> Iterator[Finding]:
    if not name.strip():
        yield Finding((name,), "the name is empty", "Give the model a name.")
    elif name != name.strip() or not name.isprintable():
        yield Finding((name,), "the name holds blanks at its ends or control characters", "Remove them.")
    elif len(name) > MAX_NAME_CHARACTERS:
        yield Finding(
            (name,), "the name is too long", f"A name has at most {MAX_NAME_CHARACTERS} characters."
        )
    if "@" in name:
        yield Finding((name,), 'the name holds "@", which begins tags', "Choose another character.")


def _kind(name: str, model: Model) -> Iterator[Finding]:
    given = _given(model)
    if len(given) != 1:
        reason = f"has {' and '.join(given)}" if given else "leads nowhere"
        yield Finding((name,), reason, "A model needs exactly one of target, redirect and targets.")
    elif model.targets == ():
        yield Finding((name, "targets"), "is empty", 'Name one at least: targets = [{ model = "…" }].')
    else:
        for key, kinds in _ONLY_OF.items():
            if given[0] not in kinds and getattr(model, key) not in (None, (), ""):
                yield Finding(
                    (name, key), f"means nothing beside {given[0]}", f"It goes with {' or '.join(kinds)}."
                )


def _blanks(name: str, model: Model) -> Iterator[Finding]:
    for path, text in (*_targets(name, model), ((name, "redirect"), model.redirect or "-")):
        if text != text.strip():
            yield Finding(path, "holds blanks at its ends", "Remove them.")


def _wildcards(name: str, model: Model) -> Iterator[Finding]:
    if "*" in name and model.redirect is None:
        yield Finding(
            (name,), 'only a redirect\'s name may hold "*"', 'Write redirect = "…", or choose a name without.'
        )
    elif name.count("*") > 1:
        yield Finding((name,), 'the name holds more than one "*"', "Write one redirect for each.")
    if model.redirect is not None and model.redirect.count("*") > name.count("*"):
        yield Finding(
            (name, "redirect"),
            'holds more "*" than the name',
            'What the name\'s "*" stood for takes the place of one "*" here.',
        )
    for path, text in _targets(name, model):
        if "*" in text and model.redirect is None:
            yield Finding(path, 'holds a "*"', "Only a redirect may: name the model in full.")


def _tags(name: str, model: Model) -> Iterator[Finding]:
    for number, tag in enumerate(model.tags):
        if not parse([tag], "alias"):
            yield Finding((name, "tags", number), *_wrong_tag(tag))
    if len(model.tags) > MAX_TAGS:
        yield Finding(
            (name, "tags"), f"holds {len(model.tags)} tags", f"A request carries at most {MAX_TAGS}."
        )


def _wrong_tag(tag: str) -> tuple[str, str]:
    if any(looks_secret(part) for part in (tag, *tag.split(":", 1))):
        return "looks like a key or a placeholder for one", "Tags are stored and shown: use a plain word."
    if len(tag) > MAX_TAG_CHARACTERS - len("tag"):
        return "is too long", f"Key and value together have at most {MAX_TAG_CHARACTERS} characters."
    return "is no tag", 'Write "KEY:VALUE" or one word, without commas and control characters.'


def _same_names(models: Mapping[str, Model]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name in models:
        other = seen.setdefault(normalise(name), name)
        if other != name:
            yield Finding((name,), f'is the same name as "{other}"', "Case and :latest make no difference.")


def _loops(models: Mapping[str, Model]) -> Iterator[Finding]:
    """One finding for each ring: for the first of its models that leads back to itself."""
    usable = {name: model for name, model in models.items() if len(_given(model)) == 1}
    catalog = Catalog(virtuals=tuple(virtual(name, model) for name, model in usable.items()))
    told: set[str] = set()
    for name in usable:
        way, is_ring = _way_on(normalise(name), catalog)
        if is_ring and told.isdisjoint(way):
            told.update(way)
            through = f" through {', '.join(way[1:])}" if len(way) > 1 else ""
            yield Finding(
                (name,), f"leads back to itself{through}", "Let one of them lead to a provider's model."
            )
        elif way and not is_ring and "*" in name:
            on = ", ".join(way[1:4])
            yield Finding(
                (name,), f"leads on without end: {on}, …", "Its target must not fit its name again."
            )


def _way_on(start: str, catalog: Catalog) -> tuple[list[str], bool]:
    """The names from `start` to the last before `start` again, and True: a ring.

    A wildcard that its own result fits makes ever new names: some of those, and False. Otherwise none.
    """
    came_from: dict[str, str] = {}
    level = [start]
    for _ in range(MAX_DEPTH):
        steps = [(current, name) for current in level for name in _following(current, catalog)]
        level = []
        for current, name in steps:
            if name == start:
                return _traced(current, came_from), True
            if name not in came_from:
                came_from[name] = current
                level.append(name)
    return _traced(level[0], came_from) if level else [], False


def _traced(last: str, came_from: Mapping[str, str]) -> list[str]:
    way = [last]
    while way[-1] in came_from:
        way.append(came_from[way[-1]])
    return way[::-1]


def _following(name: str, catalog: Catalog) -> list[str]:
    for step in (by_redirect, by_pool, by_alias, by_wildcard):
        match step(name, catalog):
            case None | Target() | Router():
                continue
            case outcome:
                return [normalise(following) for following in outcome.names]
    return []


def _given(model: Model) -> list[str]:
    return [key for key in _KINDS if getattr(model, key) is not None]


def _targets(name: str, model: Model) -> Iterator[tuple[Path, str]]:
    if model.target is not None:
        yield (name, "target"), model.target
    for number, target in enumerate(model.targets or ()):
        yield (name, "targets", number, "model"), target.model
