"""Pure rules of the relay: standard library only."""
