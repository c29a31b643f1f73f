"""A Django site in one module whose page comes in parts."""

import asyncio
from collections.abc import AsyncIterator

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.urls import path

PARTS = 5

# Without sessions, forms or a database there is nothing for a secret key to sign. Lambda's URLs check the host.
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="unused", MIDDLEWARE=[])  # noqa: S106


async def parts() -> AsyncIterator[str]:
    """One line at a time."""
    yield "<!doctype html><title>Streamed</title><h1>Streamed by Django</h1>\n"
    for number in range(1, PARTS + 1):
        await asyncio.sleep(0.2)
        yield f"<p>part {number} of {PARTS}\n"


async def page(_request: HttpRequest) -> HttpResponseBase:
    """The page."""
    return StreamingHttpResponse(parts(), content_type="text/html")


def hello(_request: HttpRequest, name: str) -> HttpResponseBase:
    """An ordinary answer, from an ordinary view: Django runs it in a thread."""
    return JsonResponse({"hello": name})


urlpatterns = [path("", page), path("hello/<name>", hello)]
app = get_asgi_application()
