"""The OpenAI-compatible gateway."""

__version__ = "0.2.0"
"""The version of the whole product; the command line has the same one."""

SCHEMA_VERSION = 1
"""The version of what is in the table. It only gains items and attributes: an older gateway still works on it."""
