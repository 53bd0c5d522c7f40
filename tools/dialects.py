"""Writes `docs/dialects.md`: what each dialect cannot carry, tried out and in the words of its codec."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from relay.adapters.dialects import embeddings
from relay.adapters.dialects.registry import CLIENT_DIALECTS, DIALECTS
from tools.loss_matrix import CARRIED, LOST, REFUSED, Signs, answer_rows, pairs, request_rows

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "dialects.md"

OPENING = f"""\
# What a dialect cannot carry

Every request is decoded into one neutral form and encoded into the provider's dialect, every answer the other
way. What a dialect has no place for is named here, and nowhere else is anything dropped: `norm` and
`norm_request` of each chat codec are these sentences as code, and the laws in `tests/contract` hold the codecs
to them. A setting of a request that is lost on the way to a provider is told in the answer's header
`x-relay-losses` and in the ledger.

Between a client and a provider of the same dialect nothing is translated where the provider's row says so
(`pass_through`): bytes pass, the model's name apart. What a model refuses of its own dialect is in the provider's
row, `catalog.toml`, and is told as a loss, too.

{CARRIED} carried, {LOST} lost and told (or needless there), {REFUSED} refused with 400. On the way from a client
to a provider of another dialect that is lost which either of the two has no word for.

This page is written by `make docs`.
"""

TITLES: Mapping[str, str] = {
    "openai.chat": "OpenAI Chat Completions",
    "openai.responses": "OpenAI Responses",
    "anthropic.messages": "Anthropic Messages",
    "gemini.generate": "Gemini generateContent",
    "cohere.v2": "Cohere v2",
    "ollama.chat": "Ollama chat",
    "ollama.generate": "Ollama generate",
    "openai.completions": "OpenAI Completions, with clients alone",
}
"""Of every dialect of chats: one without a title here has none on the page but its name."""

VENDORS: Mapping[str, str] = {"openai": "OpenAI"}
"""Those whose name is not simply written with a capital letter."""


def document() -> str:
    """The whole page."""
    tables = (
        _table("What requests may hold, and what reaches a provider", request_rows(), DIALECTS),
        _pairs(),
        _table("What answers may hold, and what reaches a client", answer_rows(), CLIENT_DIALECTS),
    )
    chats = (section for name in CLIENT_DIALECTS for section in _chat(name))
    return OPENING + "".join((*tables, *chats, *_embeddings()))


def _pairs() -> str:
    """What a request loses from each client to each provider."""
    lines = ["| client | provider | lost | refused |", "|---|---|---|---|"]
    for client, provider, lost, refused in pairs():
        lines.append(
            f"| `{client}` | `{provider}` | {'; '.join(lost) or '—'} | {'; '.join(refused) or '—'} |"
        )
    return "\n## What a request loses between a client and a provider\n\n" + "".join(
        f"{line}\n" for line in lines
    )


def _table(title: str, rows: Mapping[str, Signs], names: Iterable[str]) -> str:
    names = tuple(names)
    lines = [f"| | {' | '.join(f'`{name}`' for name in names)} |", f"|---|{':-:|' * len(names)}"]
    lines += [
        f"| {feature} | {' | '.join(signs[name] for name in names)} |" for feature, signs in rows.items()
    ]
    return f"\n## {title}\n\n" + "".join(f"{line}\n" for line in lines)


def _chat(name: str) -> Iterator[str]:
    codec = import_module(f"relay.adapters.dialects.{name.replace('.', '_')}")
    yield from _sections(name, TITLES.get(name, name), codec.POVERTY, codec.REQUEST_POVERTY)


def _embeddings() -> Iterator[str]:
    for found in iter_modules(embeddings.__path__, f"{embeddings.__name__}."):
        module = import_module(found.name)
        vendor = found.name.rpartition(".")[2]
        if hasattr(module, "REQUEST_POVERTY"):
            title = f"{VENDORS.get(vendor, vendor.capitalize())} embeddings"
            yield from _sections(f"embeddings, {vendor}", title, module.POVERTY, module.REQUEST_POVERTY)
        if hasattr(module, "LEGACY_REQUEST_POVERTY"):
            title = f"{VENDORS.get(vendor, vendor.capitalize())} embeddings, the older endpoint"
            yield from _sections(
                f"embeddings, {vendor}", title, module.LEGACY_POVERTY, module.LEGACY_REQUEST_POVERTY
            )


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
