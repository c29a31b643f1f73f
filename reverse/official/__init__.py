"""Poe's documented API, with an account's own key."""

from reverse.official.catalogue import Endpoint, ModelInfo, Parameter, Prices, ReasoningSupport
from reverse.official.client import PoeOfficialClient
from reverse.official.points import PointsSpent

__all__ = ["Endpoint", "ModelInfo", "Parameter", "PoeOfficialClient", "PointsSpent", "Prices", "ReasoningSupport"]
