"""Writes `docs/dialects.md`: what each dialect cannot carry, in the words of its codec."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from relay.adapters.dialects import ollama_chat, ollama_generate, openai_chat, openai_completions
from relay.adapters.dialects.embeddings import ollama as ollama_embeddings
from relay.adapters.dialects.embeddings import openai as openai_embeddings

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "dialects.md"

OPENING = """\
# What a dialect cannot carry

Every request is decoded into one neutral form and encoded into the provider's dialect, every answer the other
way. What a dialect has no place for is named here, and nowhere else is anything dropped: `norm` and
`norm_request` of each chat codec are these sentences as code, and the laws in `tests/contract` hold the codecs
to them. A setting of a request that is lost on the way to a provider is told in the answer's header
`x-relay-losses` and in the ledger.

Between a client and a provider of the same dialect nothing is translated where the provider's row says so
(`pass_through`): bytes pass, the model's name apart.

This page is written by `make docs`.
"""

DIALECTS = (
    ("openai.chat", "OpenAI Chat Completions", openai_chat.POVERTY, openai_chat.REQUEST_POVERTY),
    ("ollama.chat", "Ollama chat", ollama_chat.POVERTY, ollama_chat.REQUEST_POVERTY),
    (
        "openai.completions",
        "OpenAI Completions, with clients alone",
        openai_completions.POVERTY,
        openai_completions.REQUEST_POVERTY,
    ),
    ("ollama.generate", "Ollama generate", ollama_generate.POVERTY, ollama_generate.REQUEST_POVERTY),
    ("openai.embeddings", "OpenAI embeddings", openai_embeddings.POVERTY, openai_embeddings.REQUEST_POVERTY),
    ("ollama.embed", "Ollama embed", ollama_embeddings.POVERTY, ollama_embeddings.REQUEST_POVERTY),
    (
        "ollama.embeddings",
        "Ollama embeddings, the older endpoint",
        ollama_embeddings.LEGACY_POVERTY,
        ollama_embeddings.LEGACY_REQUEST_POVERTY,
    ),
)


def document() -> str:
    """The whole page."""
    return OPENING + "".join(section for dialect in DIALECTS for section in _sections(*dialect))


def _sections(name: str, title: str, answers: Sequence[str], requests: Sequence[str]) -> Iterator[str]:
    yield f"\n## {title} (`{name}`)\n"
    for heading, sentences in (("Answers", answers), ("Requests", requests)):
        yield f"\n### {heading}\n\n" + "".join(f"- {sentence}\n" for sentence in sentences)


def main() -> None:
    """Write the document, or with `--check` fail when that would change it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    fresh = document()
    if not parser.parse_args().check:
        DOCUMENT.write_text(fresh, encoding="utf-8")
    elif not DOCUMENT.is_file() or DOCUMENT.read_text(encoding="utf-8") != fresh:
        sys.exit("docs/dialects.md is out of date; run `make docs`")


if __name__ == "__main__":
    main()
