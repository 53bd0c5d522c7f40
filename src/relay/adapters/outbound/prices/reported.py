"""Reads what a provider says it charged out of the usage object of its answer, exactly.

OpenRouter: `cost`, and with a key of one's own the upstream's cost besides. xAI: `cost_in_usd_ticks`, of 1e-10
dollars. Perplexity: `cost.total_cost`. What other kinds put there is not theirs to say.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal

import msgspec

from relay.domain.money import PUSD_PER_USD
from relay.domain.pricing import priced_kind

PUSD_PER_TICK = 100
_MAX_DIGITS = 12
_EXACT = Context(prec=64, rounding=ROUND_HALF_EVEN)


class _Details(msgspec.Struct):
    upstream_inference_cost: Decimal | None = None


class _OpenRouter(msgspec.Struct):
    cost: Decimal | None = None
    is_byok: bool = False
    cost_details: _Details | None = None


class _Xai(msgspec.Struct):
    cost_in_usd_ticks: int | None = None


class _PerplexityCost(msgspec.Struct):
    total_cost: Decimal | None = None
    currency: str = "USD"


class _Perplexity(msgspec.Struct):
    cost: _PerplexityCost | None = None


def reported_pusd(kind: str, usage: bytes) -> int | None:
    """Pico-dollars, of the JSON of a usage object; `None` where it says nothing that can be used."""
    try:
        match priced_kind(kind):
            case "openrouter":
                return _openrouter(msgspec.json.decode(usage, type=_OpenRouter))
            case "xai":
                ticks = msgspec.json.decode(usage, type=_Xai).cost_in_usd_ticks
                return ticks * PUSD_PER_TICK if ticks is not None and ticks >= 0 else None
            case "perplexity":
                cost = msgspec.json.decode(usage, type=_Perplexity).cost
                return _pusd(cost.total_cost) if cost and cost.currency.upper() == "USD" else None
            case _:
                return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _openrouter(usage: _OpenRouter) -> int | None:
    own = _pusd(usage.cost)
    if own is None or not usage.is_byok:
        return own
    upstream = _pusd(usage.cost_details.upstream_inference_cost) if usage.cost_details else None
    return None if upstream is None else own + upstream


def _pusd(dollars: Decimal | None) -> int | None:
    if dollars is None or not dollars.is_finite() or dollars < 0 or dollars.adjusted() >= _MAX_DIGITS:
        return None
    return int(_EXACT.multiply(dollars, Decimal(PUSD_PER_USD)).to_integral_value(ROUND_HALF_EVEN))
