"""The database: engines, tables, migrations and everything that turns rows into domain values."""
