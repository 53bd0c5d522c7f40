"""What the application calls: providers, storage, spool, clock."""
