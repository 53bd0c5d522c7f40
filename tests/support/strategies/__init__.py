"""Hypothesis strategies for the relay's values: catalogs, canonical requests and answers, and cuts of bytes."""
