"""The main use case: one chat call, from its name to its books."""

from dataclasses import dataclass

from relay.application.attempts import Attempt, AttemptLimits
from relay.application.calls import ChatCall
from relay.application.metering import estimated_tokens
from relay.application.plan_call import Plan, plan_call
from relay.application.ports import (
    Backends,
    CatalogSource,
    ChatBackend,
    Clock,
    Hangup,
    Ids,
    Ledger,
    Reply,
    UpstreamCall,
)
from relay.domain.catalog import Target
from relay.domain.errors import NoCandidate, UpstreamError
from relay.domain.ledger import AttemptStarted


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayChat:
    """Serves a chat call: resolve, plan, try the targets in order, and write every attempt into the ledger.

    There is one loop, one counter and one deadline per call. Once the reply's head has left, nothing is tried
    again.
    """

    catalog: CatalogSource
    backends: Backends
    ledger: Ledger
    clock: Clock
    ids: Ids
    limits: AttemptLimits = AttemptLimits()

    async def __call__(self, call: ChatCall, reply: Reply, hangup: Hangup) -> None:
        """Returns when the reply is complete, failed in-band, or its client is gone.

        Raises `RelayError` when nothing was sent yet: the caller still has the status line to say it with.
        """
        plan = plan_call(call, self.catalog.current())
        live = [
            (target, backend) for target in plan.targets if (backend := self.backends.find(target.provider))
        ]
        if not live:
            raise NoCandidate(plan.name, tuple(f"{target} has no backend" for target in plan.targets))
        deadline = self.clock.monotonic() + self.limits.total_s
        failure: UpstreamError | None = None
        for number, (target, backend) in enumerate(live[: self.limits.attempts], start=1):
            started = self._started(call, plan, target, number)
            attempt = self._attempt(call, started, backend, deadline)
            failure = await attempt.run(reply, hangup)
            if failure is None:
                return
            if failure.retry == "never" or hangup.happened or self.clock.monotonic() >= deadline:
                break
        if failure is not None:
            raise failure

    def _attempt(
        self, call: ChatCall, started: AttemptStarted, backend: ChatBackend, deadline: float
    ) -> Attempt:
        return Attempt(
            started=started,
            call=UpstreamCall(
                original=call.original,
                model=started.model,
                echo=call.name,
                stream=call.stream,
                include_usage=call.include_usage,
                request_id=call.request_id,
            ),
            backend=backend,
            ledger=self.ledger,
            clock=self.clock,
            drain_s=self.limits.drain_s,
            deadline=deadline,
        )

    def _started(self, call: ChatCall, plan: Plan, target: Target, attempt: int) -> AttemptStarted:
        key = call.caller.key
        return AttemptStarted(
            id=self.ids.new(),
            request_id=call.request_id,
            attempt=attempt,
            at_ms=self.clock.unix_ms(),
            provider=target.provider,
            model=target.model,
            name_asked=plan.name,
            resolved_by=plan.resolved_by,
            dialect=call.original.dialect,
            stream=call.stream,
            virtual=plan.virtual,
            trace=plan.trace,
            key_id=key.public_id if key else "",
            key_name=key.name if key else "",
            tags=plan.tags,
            client=call.client,
            input_tokens_estimate=estimated_tokens(call.message_bytes),
        )
