"""Backups of a gateway: a file of JSON lines, whose credentials, if it has any, are encrypted with a passphrase."""
