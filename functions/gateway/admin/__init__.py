"""The administration: a FastAPI application of its own, loaded with the first request to it."""
