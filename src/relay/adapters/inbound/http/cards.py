"""One model card on each wire: Ollama's lists and model page, and the entry of `/v1/models`.

Every field is there because a client breaks or hides the model without it: Zed needs all detail texts, Smart
Connections a context length, VS Code the architecture, the command line a digest of twelve digits and more.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from relay.application.list_models import ModelCard

VIRTUAL_OWNER = "llm-relay"
ASSUMED_CONTEXT_TOKENS = 32_768
"""Of a model whose context is not known: what VS Code takes where a card is silent. Some clients need a number."""

_UNKNOWN = "unknown"
_SMALLEST_SIZE_BYTES = 1  # clients refuse a size of zero; a hosted model's weights are nowhere here

_COUNT = re.compile(r"(\d+(?:\.\d+)?)([KMBT])")
_SCALE = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def tagged(name: str) -> str:
    """The name with a tag, as Ollama's lists have it: `:latest` unless the last part has its own."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def rfc3339(unix_s: int) -> str:
    """A time in UTC, whole seconds."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tags_entry(card: ModelCard) -> dict[str, object]:
    """An entry of `GET /api/tags`. No `expires_at`: clients tell the list of loaded models by it."""
    name = tagged(card.name)
    return {
        "name": name,
        "model": name,
        "modified_at": rfc3339(card.created),
        "size": card.size_bytes or _SMALLEST_SIZE_BYTES,
        "digest": card.digest,
        "details": _details_with_lengths(card),
        "capabilities": card.capabilities,
    }


def loaded_entry(card: ModelCard, expires_s: int) -> dict[str, object]:
    """An entry of `GET /api/ps`; `expires_s` is unix seconds.

    Clients reckon the share on the GPU from the two sizes: what a provider runs counts as all of it. They warn of
    a small `context_length`, so it is that of the model's page.
    """
    name = tagged(card.name)
    size_bytes = card.size_bytes or _SMALLEST_SIZE_BYTES
    return {
        "name": name,
        "model": name,
        "size": size_bytes,
        "digest": card.digest,
        "details": _details(card),
        "expires_at": rfc3339(expires_s),
        "size_vram": size_bytes,
        "context_length": card.context_tokens or ASSUMED_CONTEXT_TOKENS,
    }


def show_page(card: ModelCard, basename: str = "") -> dict[str, object]:
    """The answer of `POST /api/show`; `basename` is what the client shall show as the model's name."""
    page: dict[str, object] = {
        "license": "The terms of the model's provider apply.",
        "modelfile": f"FROM {card.name}\n",
        "template": "{{ .Prompt }}",
        "details": _details_with_lengths(card),
        "model_info": _model_info(card, basename or card.name),
        "capabilities": card.capabilities,
        "modified_at": rfc3339(card.created),
    }
    if card.context_tokens:
        page["parameters"] = f"{'num_ctx':<30} {card.context_tokens}"
    return page


def openai_entry(card: ModelCard, model_id: str = "") -> dict[str, object]:
    """An entry of `GET /v1/models`, also readable by Anthropic's clients; `model_id` is the name as asked for."""
    entry: dict[str, object] = {
        "id": model_id or card.name,
        "object": "model",
        "created": card.created,
        "owned_by": card.owner or VIRTUAL_OWNER,
        "type": "model",
        "display_name": card.name,
        "created_at": rfc3339(card.created),
    }
    if card.context_tokens:
        entry["context_length"] = card.context_tokens
    if card.max_output_tokens:
        entry["max_output_tokens"] = card.max_output_tokens
    return entry


def openai_list(cards: Sequence[ModelCard]) -> dict[str, object]:
    """The answer of `GET /v1/models`: everything on one page."""
    return {
        "object": "list",
        "data": [openai_entry(card) for card in cards],
        "has_more": False,
        "first_id": cards[0].name if cards else None,
        "last_id": cards[-1].name if cards else None,
    }


def _details(card: ModelCard) -> dict[str, object]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": card.family,
        "families": [card.family],
        "parameter_size": card.parameter_size or _UNKNOWN,
        "quantization_level": card.quantization or _UNKNOWN,
    }


def _details_with_lengths(card: ModelCard) -> dict[str, object]:
    details = _details(card)
    if card.context_tokens:
        details["context_length"] = card.context_tokens
    if card.embedding_length:
        details["embedding_length"] = card.embedding_length
    return details


def _model_info(card: ModelCard, basename: str) -> dict[str, object]:
    info: dict[str, object] = {
        "general.architecture": card.family,
        "general.basename": basename,
        f"{card.family}.context_length": card.context_tokens or ASSUMED_CONTEXT_TOKENS,
    }
    if (count := _parameter_count(card.parameter_size)) is not None:
        info["general.parameter_count"] = count
    if card.embedding_length:
        info[f"{card.family}.embedding_length"] = card.embedding_length
    return info


def _parameter_count(size: str) -> int | None:
    """`7.6B` as a number; `None` for what is not of that form."""
    if (match := _COUNT.fullmatch(size.upper())) is None:
        return None
    return round(float(match[1]) * _SCALE[match[2]])
