"""Providers as data: what is known of each vendor, and the live objects built from it."""
