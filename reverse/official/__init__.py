"""Poe's documented API, with an account's own key."""

from reverse.official.catalogue import Endpoint, ModelInfo, Parameter, Prices, ReasoningSupport
from reverse.official.client import PoeOfficialClient, read_models
from reverse.official.login import Login, PoeLogin, SignIn, exchange_code
from reverse.official.points import PointsSpent
from reverse.official.routing import Route
from reverse.official.transports import OfficialTransport
from reverse.official.uploads import UploadedFile
from reverse.videos import Video, VideoStatus

__all__ = [
    "Endpoint",
    "Login",
    "ModelInfo",
    "OfficialTransport",
    "Parameter",
    "PoeLogin",
    "PoeOfficialClient",
    "PointsSpent",
    "Prices",
    "ReasoningSupport",
    "Route",
    "SignIn",
    "UploadedFile",
    "Video",
    "VideoStatus",
    "exchange_code",
    "read_models",
]
