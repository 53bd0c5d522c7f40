"""Other price lists, each read into a book of ours by a pure function of its bytes."""

from relay.adapters.outbound.prices.importers.detecting import imported
from relay.adapters.outbound.prices.importers.gathering import Imported, ListUnreadable

__all__ = ["Imported", "ListUnreadable", "imported"]
