"""The configuration: what can be set, where it is read from, and what is said of a mistake."""

from relay.settings.document import Document
from relay.settings.mistakes import ConfigurationError, Finding, Mistake, in_order, spelled_out
from relay.settings.reading import Reading, found, load, read, search_path
from relay.settings.tree import DEFAULT_PORT, Auth, Database, Flags, Model, PoolTarget, Server, Settings

__all__ = [
    "DEFAULT_PORT",
    "Auth",
    "ConfigurationError",
    "Database",
    "Document",
    "Finding",
    "Flags",
    "Mistake",
    "Model",
    "PoolTarget",
    "Reading",
    "Server",
    "Settings",
    "found",
    "in_order",
    "load",
    "read",
    "search_path",
    "spelled_out",
]
