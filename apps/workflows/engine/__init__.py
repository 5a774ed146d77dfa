"""The workflow engine: pure Python, no Django, no clock of its own. Tokens move through a graph; nothing else moves."""
