"""What each endpoint takes and gives, by the endpoint's name: one row per route of `routes`, checked by a test.

A surface of its own has a module of its own, with its operations and the schemas that they name.
"""

from gateway.openapi.operation import Operation
from gateway.openapi.schemas import ERROR, Schema
from gateway.surfaces.chat import schema as chat
from gateway.surfaces.media import schema as media
from gateway.surfaces.messages import schema as anthropic
from gateway.surfaces.responses import schema as responses

_SURFACES = (chat, responses, media, anthropic)

OPERATIONS: dict[str, Operation] = {name: row for surface in _SURFACES for name, row in surface.OPERATIONS.items()}
SCHEMAS: dict[str, Schema] = {"Error": ERROR}
for _surface in _SURFACES:
    SCHEMAS |= _surface.SCHEMAS
