"""Anthropic's routes: messages, and the count of the tokens of one."""

import re
from dataclasses import dataclass

from relay.adapters.dialects import anthropic_messages
from relay.adapters.dialects.anthropic_messages.counting import estimated_tokens, written_count
from relay.adapters.inbound.http.chat import ChatRoute
from relay.adapters.inbound.http.heads import Telling
from relay.adapters.inbound.http.hot_route import Visit
from relay.adapters.inbound.http.reply import WholeAnswer
from relay.application.calls import ChatCall
from relay.application.count_tokens import CountTokens
from relay.application.ports import ReplyHead

MAX_BETAS_CHARACTERS = 2000

_BETAS = re.compile(r"[A-Za-z0-9_., -]+")
ESTIMATED = b"x-relay-token-count: estimated\r\n"


class MessagesTelling(Telling):
    """Also tells the request's id under the name that Anthropic's clients look for; `estimate` of what was none."""

    __slots__ = ("is_estimate",)

    def __init__(self, like: Telling) -> None:
        super().__init__(like.request_id, like.now, like.began_s)
        self.is_estimate = False

    def attempt_lines(self) -> bytes:
        """As `Telling.attempt_lines`."""
        lines = b"request-id: %b\r\n%b" % (self.request_id.encode(), super().attempt_lines())
        return lines + ESTIMATED if self.is_estimate else lines


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesRoute(ChatRoute):
    """The chat route of Anthropic's dialect, whose features in trial are asked for in a header.

    https://docs.anthropic.com/en/api/beta-headers
    """

    def _own_headers(self, visit: Visit) -> tuple[tuple[str, str], ...]:
        values = [value for name, value in visit.scope["headers"] if name == b"anthropic-beta"]
        betas = b",".join(values).decode("latin-1")
        is_list = len(betas) <= MAX_BETAS_CHARACTERS and _BETAS.fullmatch(betas)
        return (("anthropic-beta", betas),) if is_list else ()

    async def _serve(self, visit: Visit) -> None:
        visit.telling = MessagesTelling(visit.telling)
        await ChatRoute._serve(self, visit)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountTokensRoute(MessagesRoute):
    """How many tokens a message would have: the same body, without a limit of the answer."""

    count: CountTokens

    async def _answer(self, visit: Visit) -> None:
        call = self._call(visit)
        reply = WholeAnswer(visit.outlet, visit.telling, anthropic_messages.DIALECT.whole_content_type)
        await visit.attend(reply, self._count(call, visit, reply))

    async def _count(self, call: ChatCall, visit: Visit, reply: WholeAnswer) -> None:
        counted = await self.count(call, lambda: estimated_tokens(call.original.decode()))
        plan = counted.plan
        target = plan.targets[0]
        reply.prepare(
            ReplyHead(
                provider=target.provider,
                model=target.model,
                resolved_by=plan.resolved_by,
                attempts=0 if counted.is_estimate else 1,
            )
        )
        if isinstance(visit.telling, MessagesTelling):
            visit.telling.is_estimate = counted.is_estimate
        await reply.put(written_count(counted.tokens))
