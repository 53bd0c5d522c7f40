"""Requests to a real Ollama that go on from a prompt."""

from relay.adapters.dialects import splice
from relay.adapters.dialects.base import EditMembers, WireRequest
from relay.adapters.dialects.ollama_chat.provider_request import inline_data, renamed, written_call
from relay.adapters.dialects.ollama_generate.prompt import prompted
from relay.adapters.dialects.ollama_generate.request import NAME, RAW_CONFLICT, decode_request
from relay.domain.chat import ChatRequest, Completion, Image
from relay.domain.errors import Unsupported

PATH = "/api/generate"

_DATA_URI = b";base64,"
"""What an image has that the relay reads and real Ollama refuses."""


def encode_request(request: ChatRequest) -> WireRequest:
    """Raises `Unsupported` for a conversation, tools, several choices, and as a chat's request for the rest."""
    if request.tools and request.tool_choice != "none":
        raise Unsupported("a completion has no tools", param="tools")
    prompt = prompted(request.messages)
    completion = request.completion or Completion()
    if completion.raw and prompt.system:
        raise Unsupported(RAW_CONFLICT, param="raw")
    body: dict[str, object] = {"model": request.model, "prompt": prompt.text, "stream": request.stream}
    if completion.suffix:
        body["suffix"] = completion.suffix
    if completion.raw:
        body["raw"] = True
    if prompt.system:
        body["system"] = prompt.system
    if prompt.images:
        body["images"] = [inline_data(image) for image in prompt.images]
    return written_call(NAME, PATH, body, request)


def retarget(body: bytes, model: str, edit: EditMembers | None = None) -> WireRequest:
    """The caller's body under the provider's name of the model, and with bare images. Raises `InvalidRequest`."""
    members = renamed(body, model)
    if _DATA_URI in body:
        parts = [part for message in decode_request(body).messages for part in message.parts]
        images = splice.raw([part.data for part in parts if isinstance(part, Image)])
        members |= {key: images for key in members if key.lower() == "images"}
    return splice.edited(members, edit, PATH)
