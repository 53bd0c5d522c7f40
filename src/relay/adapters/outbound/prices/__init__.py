"""Where prices come from: the bundled table, tables that were taken, importers of other lists."""
