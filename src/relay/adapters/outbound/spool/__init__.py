"""The ledger's first page: append-only segment files that survive a kill, and the reading of them."""
