"""The import of history: an event log, replayed through the ordinary services with its own times and people."""
