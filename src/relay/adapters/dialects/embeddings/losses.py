"""What the dialects of embeddings have in common: inputs that are refused, and settings that are lost."""

from collections.abc import Iterator

from relay.domain.embeddings import EmbeddingDialectName, EmbedRequest
from relay.domain.errors import Unsupported


def refuse_tokens(request: EmbedRequest, vendor: str, most: int) -> None:
    """Raises `Unsupported` for token ids, and for more texts than one call may have."""
    if request.token_lists:
        raise Unsupported(f"{vendor} embeds text, not token ids", param="input")
    if len(request.texts) > most:
        raise Unsupported(f"{vendor} embeds at most {most} texts per call", param="input")


def foreign(
    request: EmbedRequest, own: EmbeddingDialectName, known: frozenset[str] = frozenset()
) -> Iterator[str]:
    """The fields of other dialects, but for those that are `known` here by the same name."""
    for dialect, extras in request.extras.items():
        if dialect != own:
            yield from (f"{dialect}:{name}" for name in extras if name not in known)
