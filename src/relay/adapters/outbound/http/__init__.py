"""Calls to providers over HTTP: the client, what its failures mean, and the backend built on it."""
