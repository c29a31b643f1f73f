"""Names of the configuration documents in the table."""

MODELS = "models"
"""The list of models: written by the scheduled job, read by the gateway."""

ESTIMATES = "estimates"
"""What sends cost here before, and what points are worth: written by both functions, read by the gateway."""

POE = "poe"
"""Overrides of the Poe clients' configuration: written by the administration, read by both functions."""

ALIASES = "model_aliases"
"""The owner's own names for models: written by the administration, read by the gateway."""
