"""How a client's tools are spelled in its answers, where that is not their canonical name."""

from dataclasses import dataclass

from relay.domain.chat import ToolSpec
from relay.domain.events import PartStarted


@dataclass(frozen=True, slots=True)
class Spelling:
    """The tools of a request by their canonical names."""

    by_name: dict[str, ToolSpec]

    def of(self, name: str) -> tuple[str, str | None]:
        """A tool's name as the client knows it, and the namespace it is in."""
        spec = self.by_name.get(name)
        if spec is None or not spec.namespace or not name.startswith(f"{spec.namespace}__"):
            return name, None
        return name.removeprefix(f"{spec.namespace}__"), spec.namespace

    def takes_text(self, call: PartStarted) -> bool:
        """Whether a call is one of a tool that takes plain text."""
        spec = self.by_name.get(call.name)
        return call.freeform or (spec is not None and spec.freeform)
