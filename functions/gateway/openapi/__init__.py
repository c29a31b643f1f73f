"""The OpenAPI description: what callers may send and what they get. Loaded with the FastAPI application only."""
