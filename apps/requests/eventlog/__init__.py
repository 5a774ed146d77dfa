"""Event logs: read from CSV and XES, put in order, mapped to service calls, and written. Pure: no Django."""
