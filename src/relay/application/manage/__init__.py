"""Use cases that change what is configured."""
