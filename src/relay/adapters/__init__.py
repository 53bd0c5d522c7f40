"""Everything that touches a wire, a file or a database."""
