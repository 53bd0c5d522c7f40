"""Resolution without a call: where a name leads, and by which steps."""

from dataclasses import dataclass

from relay.application.plan_call import read_name
from relay.application.ports import CatalogSource
from relay.domain.resolution import Resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The name without its tags, the raw tags, and the resolution with its trace."""

    name: str
    tags: tuple[str, ...]
    resolution: Resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain:
    """Explains a name over the current snapshot."""

    catalog: CatalogSource

    def __call__(self, text: str) -> Explanation:
        """Never raises: an unknown name is a resolution too."""
        name, tags, resolution = read_name(text, self.catalog.current())
        return Explanation(name=name, tags=tags, resolution=resolution)
