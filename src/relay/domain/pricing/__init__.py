"""What calls cost, exact and pure: price sheets, quotes line by line, costs and their sums."""

from relay.domain.pricing.book import PriceBook, priced_kind
from relay.domain.pricing.costs import Cost, CostState, CostSum, quoted_answer, settled, summed
from relay.domain.pricing.custom import CustomPrice, custom_price, with_customs
from relay.domain.pricing.quoting import Line, Quote, quote, unknown
from relay.domain.pricing.rates import Exact, PriceInvalid, Rate
from relay.domain.pricing.sheet import Context, Period, PriceSheet, Rule, checked

__all__ = [
    "Context", "Cost", "CostState", "CostSum", "CustomPrice", "Exact", "Line", "Period", "PriceBook",
    "PriceInvalid", "PriceSheet", "Quote", "Rate", "Rule", "checked", "custom_price", "priced_kind",
    "quote", "quoted_answer", "settled", "summed", "unknown", "with_customs",
]  # fmt: skip
