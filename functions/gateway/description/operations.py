"""What each endpoint takes and gives, by the endpoint's name: one row per route of `routes`, checked by a test.

A surface of its own has a module of its own, with its operations and the schemas that they name.
"""

from gateway.description import anthropic, chat, media, responses
from gateway.description.operation import Operation
from gateway.description.schemas import ERROR, Schema

_SURFACES = (chat, responses, media, anthropic)

OPERATIONS: dict[str, Operation] = {name: row for surface in _SURFACES for name, row in surface.OPERATIONS.items()}
SCHEMAS: dict[str, Schema] = {"Error": ERROR}
for _surface in _SURFACES:
    SCHEMAS |= _surface.SCHEMAS
