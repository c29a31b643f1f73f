"""The routes in Django."""

import json
from typing import Any

from common import DIGEST, EVENT_STREAM, LARGE, events, seen_by_middleware
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="unused",
    MIDDLEWARE=["django_app.see"],
)


def see(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        seen_by_middleware.set("middleware")
        response: HttpResponseBase = get_response(request)
        return response

    return middleware


def text(request: HttpRequest, name: str) -> HttpResponseBase:
    return HttpResponse(f"hello {name} {request.GET.get('q')}", content_type="text/plain")


async def stream(request: HttpRequest) -> HttpResponseBase:
    return StreamingHttpResponse(events(request.GET["gate"]), content_type=EVENT_STREAM)


async def echo(request: HttpRequest) -> HttpResponseBase:
    return JsonResponse(json.loads(request.body))


def upload(request: HttpRequest) -> HttpResponseBase:
    file = request.FILES["file"]
    return JsonResponse({"name": file.name, "size": file.size, "field": request.POST["field"]})


def large(request: HttpRequest) -> HttpResponseBase:
    return HttpResponse(LARGE, content_type="application/octet-stream", headers={"x-digest": DIGEST})


def cookies(request: HttpRequest) -> HttpResponseBase:
    response = JsonResponse(request.COOKIES)
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", secure=True)
    return response


def context(request: HttpRequest) -> HttpResponseBase:
    return HttpResponse(seen_by_middleware.get(), content_type="text/plain")


def fail(request: HttpRequest) -> HttpResponseBase:
    raise ValueError("meant")


urlpatterns = [
    path("text/<name>", text),
    path("stream", stream),
    path("echo", echo),
    path("upload", upload),
    path("large", large),
    path("cookies", cookies),
    path("context", context),
    path("fail", fail),
]
app = get_asgi_application()
