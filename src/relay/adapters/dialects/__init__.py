"""Wire languages: one symmetric codec each, no I/O, shared by both sides."""
