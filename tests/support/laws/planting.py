"""Faults planted into a copy of a codec, to show that the laws would notice them.

A fault is an edit of the codec's own source, so one that no longer fits the source fails loudly. The copy is a
package of another name, with what it shares with others in it; what is read back of it is still judged by the norms
of the true codec.
"""

from dataclasses import dataclass, replace
from importlib import import_module, invalidate_caches
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from typing import cast

import relay.adapters.dialects as dialects
from relay.adapters.dialects.base import Dialect
from tests.support.laws.language import Language
from tests.support.laws.languages import language_of

SOURCES = Path(next(iter(dialects.__path__)))
SHARED = ("sse_answers",)
"""Modules beside the packages in which faults are planted, too, where a codec imports from them by name."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`old` stands exactly once in the `module` of a codec's package and is replaced by `new`."""

    package: str
    module: str
    old: str
    new: str


def planted(fault: Fault | None, package: str, root: Path) -> Language:
    """A copy of `package` in the import path's folder `root`, with the fault or, without one, faithful."""
    true_name = f"relay.adapters.dialects.{package}"
    name = f"planted_{package}_{'faithful' if fault is None else 'faulty'}"
    copytree(SOURCES / package, root / name, ignore=ignore_patterns("__pycache__"))
    for module in SHARED:
        copy(SOURCES / f"{module}.py", root / name)
    for source in (root / name).glob("*.py"):
        text = source.read_text().replace(true_name, name)
        for module in SHARED:
            text = text.replace(f"relay.adapters.dialects.{module}", f"{name}.{module}")
        source.write_text(text)
    if fault is not None:
        source = root / name / f"{fault.module}.py"
        text = source.read_text()
        assert text.count(fault.old) == 1, f"the fault does not fit {package}/{fault.module}.py any more"
        source.write_text(text.replace(fault.old, fault.new))
    invalidate_caches()
    dialect = cast("Dialect", import_module(name).DIALECT)  # a copy of what implements it
    return replace(language_of(dialect, true_name), dialect=dialect)
