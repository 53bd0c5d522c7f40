"""What is special about a server's start: nothing is loaded that it does not use, and nothing is collected.

Some libraries load what they could work with as soon as it is installed: Litestar takes advanced-alchemy along,
which takes the web framework's, the validators' and every database's side of itself, structlog takes rich, and
Litestar's application pydantic. Together that is a quarter of the start, and of the memory, of a server
that uses none of it; advanced-alchemy is loaded by the first change of a key.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

UNASKED = ("advanced_alchemy", "pydantic", "rich")

YOUNG_OBJECTS = 50_000
"""How many new containers make the collector look at them. A call leaves few cycles: counting frees the rest."""


@contextmanager
def starting() -> Iterator[Callable[[], None]]:
    """Load and build a server in here, and call what this gives once it answers.

    From then on the collector passes over all that was built, which stays as long as the process.
    """
    with ExitStack() as stack:
        stack.callback(gc.enable)
        gc.disable()
        stack.enter_context(_as_if_missing(*UNASKED))

        def ready() -> None:
            stack.close()
            gc.collect()
            gc.freeze()
            gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])

        yield ready


@contextmanager
def _as_if_missing(*packages: str) -> Iterator[None]:
    """Packages not loaded yet cannot be imported meanwhile.

    `None` among the modules is the import system's own way to say so
    (https://docs.python.org/3/reference/import.html#the-module-cache).
    """
    hidden = [name for name in packages if name not in sys.modules]
    # mypy knows of modules only, the import system of `None` as well.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
