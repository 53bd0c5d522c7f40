"""How a line of generate says what a line of chat says: without a message around it."""

import msgspec

from relay.adapters.dialects.ollama_chat import wire as chat
from relay.adapters.dialects.ollama_chat.shape import LineShape
from relay.adapters.dialects.ollama_chat.writing import encoded
from relay.adapters.dialects.ollama_generate import wire

_line = msgspec.json.Decoder(wire.Line)


def _read(data: bytes) -> chat.Line:
    line = _line.decode(data)
    return chat.Line(
        model=line.model,
        created_at=line.created_at,
        message=chat.AnswerMessage(content=line.response, thinking=line.thinking, tool_calls=line.tool_calls),
        done=line.done,
        done_reason=line.done_reason,
        logprobs=line.logprobs,
        prompt_eval_count=line.prompt_eval_count,
        eval_count=line.eval_count,
        error=line.error,
    )


def _write(line: chat.WrittenLine) -> bytes:
    message = line.message
    written = wire.WrittenLine(
        model=line.model,
        created_at=line.created_at,
        response=message.content or "",
        thinking=message.thinking,
        done=line.done,
        done_reason=line.done_reason,
        total_duration=line.total_duration,
        load_duration=line.load_duration,
        prompt_eval_count=line.prompt_eval_count,
        prompt_eval_duration=line.prompt_eval_duration,
        eval_count=line.eval_count,
        eval_duration=line.eval_duration,
        tool_calls=message.tool_calls,
        logprobs=line.logprobs,
    )
    return encoded(written)


GENERATE = LineShape(read=_read, write=_write)
