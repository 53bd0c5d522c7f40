"""What of a request and of an answer survives a trip through Ollama's `/api/generate`, and what does not.

`docs/dialects.md` is generated from the sentences; the laws in `tests/contract` hold the codec to the functions.
"""

from dataclasses import replace

from relay.adapters.dialects.ollama_chat.norm import POVERTY as CHAT_POVERTY
from relay.adapters.dialects.ollama_chat.norm import norm, norm_call
from relay.adapters.dialects.ollama_generate.prompt import prompted
from relay.adapters.dialects.ollama_generate.request import NAME
from relay.domain.chat import ChatRequest, Completion

POVERTY: tuple[str, ...] = (
    *CHAT_POVERTY,
    "The context numbers of a real Ollama reach its clients only where bytes pass; none are made up.",
)

REQUEST_POVERTY: tuple[str, ...] = (
    "One prompt is carried, with what the model is told before it: a conversation is refused, and so are tools.",
    "Every system and developer message is part of one text, joined by line breaks, and stands before the prompt.",
    "A prompt has one text: several are joined by line breaks, and images follow it, those of instructions too.",
    "A participant's name, files, audio, and parts and tools that only another dialect knows are left out.",
    "The media type of an image is read from its bytes; its detail setting is left out.",
    "Tool choice and whether tools may be called in parallel are left out.",
    "The name, description and strict mark of the answer's JSON Schema are left out: Ollama enforces any schema.",
    "Reasoning effort minimal becomes low, and xhigh max; a token budget becomes the nearest effort.",
    "A limit of output tokens that is not positive means none.",
    "The user is left out, and every field only another dialect knows.",
    "Usage needs not be asked for: the last line always has it.",
)


def norm_request(request: ChatRequest) -> ChatRequest:
    """The request that is read after this one was written for a provider."""
    completion = None if request.completion == Completion() else request.completion
    messages = prompted(request.messages).messages()
    return replace(norm_call(NAME, request), messages=messages, completion=completion)


__all__ = ["POVERTY", "REQUEST_POVERTY", "norm", "norm_request"]
