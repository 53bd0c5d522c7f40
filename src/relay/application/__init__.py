"""Use cases and the ports they need: the domain and anyio, nothing else."""
