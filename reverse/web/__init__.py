"""Poe's web side, as a browser session sees it. Unofficial: it can break any day, and says so with typed errors."""

from reverse.web.client import PoeWebClient

__all__ = ["PoeWebClient"]
