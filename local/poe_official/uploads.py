"""The upload address, which takes the bare key, and multipart or an address to fetch from.

Source: docs/reference/poe-official.md#file-upload.
"""

from __future__ import annotations

from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from local.poe_official.application import Call, Simulation
from local.poe_official.dialect import bad_request


async def upload(simulation: Simulation, call: Call) -> ASGIApp:
    """POST /poe_api/file_upload_3RD_PARTY_POST."""
    if call.request.headers.get("authorization", "").lower().startswith("bearer"):
        return Response("Invalid API key", 401)
    call.payer()
    async with call.request.form() as form:
        file, address = form.get("file"), form.get("download_url")
        if isinstance(file, UploadFile):
            name, kind, data = file.filename or "file", file.content_type or "text/plain", await file.read()
        elif isinstance(address, str) and address.startswith("http"):
            name, kind, data = str(form.get("download_filename") or "file"), "application/octet-stream", b""
        else:
            raise bad_request("file or download_url is needed")
    simulation.world.uploads.append((name, kind, data))
    url = simulation.world.store(name, kind, data)
    return JSONResponse({"attachment_url": url, "mime_type": kind})
