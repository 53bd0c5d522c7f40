"""The API listener: HTTP in, use cases called, answers out in the caller's dialect."""
