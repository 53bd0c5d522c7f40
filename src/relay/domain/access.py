"""What a key reaches."""

from fnmatch import fnmatchcase

from relay.domain.catalog import Target
from relay.domain.keys import KeyRecord
from relay.domain.names import normalise


def reached(key: KeyRecord | None, name: str, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """The targets that a caller may have by this name.

    Without a key, or with one that lists no models, all of them; else all when a pattern of the key's list fits the
    name, else those whose `provider/model` a pattern fits.
    """
    if key is None or not key.models:
        return targets
    patterns = [normalise(pattern) for pattern in key.models]
    if _fits(name, patterns):
        return targets
    return tuple(target for target in targets if _fits(str(target), patterns))


def _fits(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(normalise(name), pattern) for pattern in patterns)
