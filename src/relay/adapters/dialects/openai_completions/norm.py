"""What of a chat's answer a text completion can say, and in one sentence each, what it cannot.

The laws in `tests/contract` hold `norm` to the sentences; the encoders build on the same functions.
"""

from collections.abc import Iterable
from dataclasses import replace

from relay.adapters.dialects.openai_chat.norm import finite
from relay.adapters.dialects.openai_chat.usage import surviving
from relay.domain.chat import Refusal, Text
from relay.domain.events import ChatResponse, Choice, FinishReason, TokenAlternative, TokenLogprob

POVERTY: tuple[str, ...] = (
    "The id begins with `cmpl-`.",
    "Each choice is one text: several are joined without a separator.",
    "A refusal becomes text.",
    "What a text cites is left out; the ledger tells so.",
    "Thinking and all seals are left out, and parts that only another dialect has a word for; tokens are counted.",
    "Tool calls are left out.",
    "The finish is stop, length or content_filter: tool_calls and pause become stop.",
    "The provider's own finish word is left out.",
    "Log probabilities have no bytes, and of rivals spelled alike the last; one that is not finite becomes -9999.",
    "Usage keeps input, output, cache reads and writes, audio, image and video input, reasoning, audio and image "
    "output; input or output that was not reported reads 0; reasoning is never more than output.",
)

REQUEST_POVERTY: tuple[str, ...] = (
    "The prompt is what a user says: providers are called by their chat.",
    "A `suffix` makes it fill-in-the-middle: an Ollama is called by its generate, any other provider is refused.",
    "There is one prompt, a text: several, and prompts of token ids, are refused.",
    "`echo`, and a `best_of` above 1, are refused.",
    "Without `max_tokens` the provider's own limit counts: OpenAI's default of 16 is not taken over.",
    "Fields that the relay does not know are left out; `logit_bias` reaches providers of OpenAI's chat.",
)


def completion_id(scene_id: str) -> str:
    """The id of an answer, in OpenAI's spelling."""
    return scene_id if scene_id.startswith("cmpl-") else f"cmpl-{scene_id}"


def settled_reason(reason: FinishReason) -> FinishReason:
    """A finish that completions know."""
    return "stop" if reason in ("tool_calls", "pause") else reason


def text_of(choice: Choice) -> str:
    """All that a choice says."""
    return "".join(part.text for part in choice.parts if isinstance(part, Text | Refusal))


def rivals(token: TokenLogprob) -> dict[str, float]:
    """The candidates at a token's place, by their text."""
    return {rival.token: finite(rival.logprob) for rival in token.top}


def norm(response: ChatResponse) -> ChatResponse:
    """The answer as a client of this dialect gets it."""
    return replace(
        response,
        id=completion_id(response.id),
        choices=tuple(_norm_choice(choice) for choice in response.choices),
        usage=None if response.usage is None else surviving(response.usage),
    )


def _norm_choice(choice: Choice) -> Choice:
    text, finish = text_of(choice), settled_reason(choice.finish)
    return replace(
        choice,
        parts=(Text(text=text),) if text else (),
        finish=finish,
        raw_finish=finish,
        logprobs=tuple(_norm_tokens(choice.logprobs)),
    )


def _norm_tokens(tokens: Iterable[TokenLogprob]) -> Iterable[TokenLogprob]:
    for token in tokens:
        top = tuple(TokenAlternative(token=text, logprob=logprob) for text, logprob in rivals(token).items())
        yield TokenLogprob(token=token.token, logprob=finite(token.logprob), top=top)
