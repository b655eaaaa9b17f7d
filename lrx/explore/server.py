"""Server of the page: JSON in, JSON and pictures out. It keeps nothing of what a page does.

One thread computes, since torch's threads are many already; answers come in the order of the questions, and a map lets
the steps of sliders in between. A question must come from a page of this server: the names of Host are those of this
machine alone, against DNS rebinding, and Origin is that Host; what is sent is JSON, which forms of other pages are not.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import TypeVar

import numpy as np
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lrx.core.validation import SettingError, is_whole
from lrx.explore import about, strip
from lrx.explore.commands import Commands
from lrx.explore.plane import plane_of
from lrx.explore.session import Session
from lrx.explore.view import View

NAMES = ("127.0.0.1", "localhost", "[::1]")  # of Host; any port, as of a tunnel from another machine
FILES = {"index.html": "text/html", "style.css": "text/css"} | dict.fromkeys(("app.js", "draw.js"), "text/javascript")
LARGEST = 2**20  # bytes of a question
MOST_VIEWS, MOST_UNITS = 64, 256  # of one question
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}

T = TypeVar("T")
Given = dict[str, object]


def refusal(headers: Headers) -> str | None:
    """Return why a request is not answered, None where it is: it must be of a page that this server gave."""
    host = headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name not in NAMES:
        return f"Host is {host!r}; only {', '.join(NAMES)} are answered"
    if headers.get("origin", f"http://{host}") != f"http://{host}":
        return "Origin is another page"
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "the request comes from another page"
    return None


class Guard:
    """Middleware that answers pages of this server alone, and tells browsers to load nothing from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        reason = refusal(Headers(scope=scope))
        app = self._app if reason is None else JSONResponse({"error": reason}, 403)
        await app(scope, receive, send_with_headers)


def application(session: Session, commands: Commands, executor: ThreadPoolExecutor) -> Starlette:
    """Return the application of a session.

    executor: of one thread, in which everything is computed.
    """

    async def compute(function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, function)

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in FILES:
            return JSONResponse({"error": f"there is no file {name}"}, 404)
        content = files("lrx.explore").joinpath("static", name).read_bytes()
        return Response(content, media_type=f"{FILES[name]}; charset=utf-8")

    async def session_(_: Request) -> Response:
        return JSONResponse(about.describe(session) | {"measure": commands.measure})

    async def image(given: Given) -> object:
        index = given.get("image")
        observed = await compute(lambda: session.observation(index))  # type: ignore[arg-type]
        assert isinstance(index, int)
        return {"picture": about.picture(observed), "classes": session.classes(index)}

    async def find(given: Given) -> object:
        classes, changed = given.get("classes"), given.get("changed")
        if not isinstance(classes, list) or not is_whole(changed, 0):
            raise SettingError("find needs classes, a list, and changed, the number of a factor")
        assert isinstance(changed, int)
        index = await compute(lambda: session.find(classes, changed))
        return {"image": index, "classes": session.classes(index)}

    async def views(given: Given) -> object:
        asked, units = _views(session, given), _units(session, given)
        return await compute(lambda: about.as_json(session.see(asked), units))

    async def row(given: Given) -> object:
        return about.row_of(session, _units(session, {"units": [given.get("unit")]})[0])

    async def plane(given: Given) -> object:
        chosen = plane_of(session, session.view(given.get("view")), *(given.get(key) for key in ("first", "second")))
        parts, read = chosen.parts(), []
        while (part := await compute(lambda: next(parts, None))) is not None:
            read.append(part)
        maps = {name: np.round(values, 6).tolist() for name, values in chosen.maps(np.concatenate(read)).items()}
        return {"axis": chosen.axis_n.tolist(), **maps}

    async def strip_(given: Given) -> object:
        asked, units, kind = _views(session, given), _units(session, given), given.get("format")
        if kind == "command":
            return {"command": commands.draw(asked, units)}
        if kind not in strip.FORMATS:
            raise SettingError(f"format must be one of command, {', '.join(strip.FORMATS)}, not {kind!r}")
        content = await compute(lambda: strip.draw(session, asked, units, str(kind)))
        return Response(content, media_type=strip.FORMATS[str(kind)])

    def answering(function: Callable[[Given], Awaitable[object]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                given = await function(await _read(request))
            except (ValueError, MemoryError) as error:  # of a person, or of a model that gives no number
                return JSONResponse({"error": str(error)}, 400)
            return given if isinstance(given, Response) else JSONResponse(given)

        return answer

    asked = {"image": image, "find": find, "views": views, "row": row, "plane": plane, "strip": strip_}
    routes = [Route("/", page), Route("/session", session_)]
    routes += [Route(f"/{name}", answering(function), methods=["POST"]) for name, function in asked.items()]
    return Starlette(routes=[*routes, Route("/{name}", page)], middleware=[Middleware(Guard)])


async def _read(request: Request) -> Given:
    """Return the mapping that a request holds. ValueError for anything else."""
    if request.headers.get("content-type") != "application/json":
        raise ValueError("a question must be application/json")
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > LARGEST:
            raise ValueError(f"a question has at most {LARGEST:,} bytes")
    try:
        given = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("a question must be JSON") from error
    if not isinstance(given, dict):
        raise ValueError("a question must be a mapping")
    return given


def _views(session: Session, given: Given) -> list[View]:
    views = given.get("views")
    if not isinstance(views, list) or not 0 < len(views) <= MOST_VIEWS:
        raise SettingError(f"views must be a list of 1 to {MOST_VIEWS}")
    return [session.view(view) for view in views]


def _units(session: Session, given: Given) -> list[int]:
    units = session.checked_units("units", given.get("units"))
    if len(units) > MOST_UNITS:
        raise SettingError(f"units must be at most {MOST_UNITS}")
    return units
