"""The use case that says how many tokens a prompt has, before it is sent: by its provider, or by an estimate.

Nothing is generated and nothing is billed, so there is nothing for the books.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from relay.application.calls import ChatCall
from relay.application.plan_call import Plan, PlanCall, Planner
from relay.application.ports import CatalogSource
from relay.domain.errors import Rejected, UpstreamError


class TokenCounter(Protocol):
    """A provider that counts."""

    async def count(self, body: bytes, model: str, request_id: str) -> int:
        """The tokens of a client's own body, for this model. Raises `UpstreamError`."""
        ...


class TokenCounters(Protocol):
    """The live providers that count, by name."""

    def find_counter(self, provider: str) -> TokenCounter | None:
        """The counter of a configured provider; `None` when it has none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """How many, whose models they are counted for, and whether they were counted at all."""

    tokens: int
    is_estimate: bool
    plan: Plan


@dataclass(slots=True, kw_only=True)
class CountTokens:
    """Counts for the first target, as that is who would be asked."""

    catalog: CatalogSource
    counters: TokenCounters
    plan_of: PlanCall = field(default_factory=Planner)

    async def __call__(self, call: ChatCall, estimate: Callable[[], int]) -> TokenCount:
        """`estimate` stands in where the provider does not count, or fails to.

        Raises as `plan_targets`, and `Rejected` for what the provider would refuse to answer as well.
        """
        plan = self.plan_of(call, self.catalog.current())
        target = plan.targets[0]
        counter = self.counters.find_counter(target.provider)
        if counter is not None:
            try:
                tokens = await counter.count(call.original.body, target.model, call.request_id)
                return TokenCount(tokens=tokens, is_estimate=False, plan=plan)
            except Rejected:
                raise
            except UpstreamError:
                pass
        return TokenCount(tokens=estimate(), is_estimate=True, plan=plan)
