"""What the relay tells of itself."""
