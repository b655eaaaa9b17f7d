"""Server of the page, asked without a network: what it answers, and to whom."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.types import ASGIApp, Message

from lrx.explore.commands import in_shell
from lrx.explore.server import FILES, LARGEST, application
from lrx.explore.session import Session, StoredMatrix
from tests.explore.sessions import A, linear, pictures

OWN = {"host": "127.0.0.1:8000"}
JSON = {**OWN, "content-type": "application/json"}


class Answer:
    def __init__(self, messages: list[Message]) -> None:
        self.status = messages[0]["status"]
        self.headers = {key.decode(): value.decode() for key, value in messages[0]["headers"]}
        self.content = b"".join(message.get("body", b"") for message in messages[1:])

    @property
    def json(self) -> Any:
        return json.loads(self.content)


def send(app: ASGIApp, path: str, content: bytes | None = None, headers: dict[str, str] = JSON) -> Answer:
    scope = {
        "type": "http",
        "method": "GET" if content is None else "POST",
        "path": path,
        "query_string": b"",
        "headers": [(key.encode(), value.encode()) for key, value in headers.items()],
    }
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": content or b"", "more_body": False}

    async def keep(message: Message) -> None:
        messages.append(message)

    asyncio.run(app(scope, receive, keep))
    return Answer(messages)


def ask(app: ASGIApp, path: str, question: object) -> Answer:
    return send(app, path, json.dumps(question).encode())


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as opened:
        yield opened


def app_of(session: Session, executor: ThreadPoolExecutor) -> ASGIApp:
    return application(session, in_shell(["ckpt=outputs/train/run"]), executor)


@pytest.fixture(scope="module")
def app(executor: ThreadPoolExecutor) -> ASGIApp:
    matrix = np.array([[0.1, 0.2, 0.3], [0.5, 0.6, 0.4], [np.nan, 0.8, 0.9]])
    return app_of(linear(StoredMatrix(matrix, matrix / 10, "result.h5")), executor)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OWN, 200),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "127.0.0.1"}, 200),
        ({}, 403),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example:8000"}, 403),
        ({**OWN, "origin": "http://127.0.0.1:8000"}, 200),
        ({**OWN, "origin": "http://127.0.0.1:9"}, 403),
        ({**OWN, "origin": "https://evil.example"}, 403),
        ({**OWN, "origin": "null"}, 403),
        ({**OWN, "sec-fetch-site": "same-origin"}, 200),
        ({**OWN, "sec-fetch-site": "cross-site"}, 403),
        ({**OWN, "sec-fetch-site": "same-site"}, 403),
    ],
)
def test_only_pages_of_this_server_are_answered(app: ASGIApp, headers: dict[str, str], status: int) -> None:
    assert send(app, "/session", headers=headers).status == status
    question = {**headers, "content-type": "application/json"}
    assert send(app, "/row", b'{"unit": 0}', question).status == status


def test_nothing_is_loaded_from_elsewhere(app: ASGIApp) -> None:
    for name, kind in FILES.items():
        answer = send(app, f"/{name}" if name != "index.html" else "/")
        assert answer.status == 200
        assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        addresses = re.findall(r"https?://[^\s\"']*|//[\w.]+\.\w+/", answer.content.decode())
        assert {*addresses} <= {"http://www.w3.org/2000/svg"}
    assert {*FILES} == {path.name for path in files("lrx.explore").joinpath("static").iterdir()}


@pytest.mark.parametrize("path", ["/server.py", "/../server.py", "/..%2fserver.py", "/a/b"])
def test_no_other_files_are_served(app: ASGIApp, path: str) -> None:
    assert send(app, path).status == 404


def test_session_describes_units_in_order(app: ASGIApp) -> None:
    about = send(app, "/session").json
    assert [one["unit"] for one in about["units"]] == [2, 1, 0]
    assert about["matrix"]["source"] == "result.h5"
    assert about["matrix"]["values"][2] == [None, 0.8, 0.9]
    assert about["images"] == 100


def test_session_without_matrix_says_how_to_measure(executor: ThreadPoolExecutor) -> None:
    about = send(app_of(linear(), executor), "/session").json
    assert about["matrix"] is None
    assert about["measure"] == "lrx assay ckpt=outputs/train/run assay=response_matrix"


def test_views_give_observations_and_responses(app: ASGIApp) -> None:
    view = {"image": 4, "other": None, "mix": 0, "take": [], "set": {"0": 2, "1": 1, "2": -1}}
    (seen,) = ask(app, "/views", {"views": [view], "units": [2, 0]}).json
    expected = A.numpy() @ [2, 1, -1]
    assert seen["z"] == [-1, 2]
    np.testing.assert_allclose(seen["h"], expected[[2, 0]])
    np.testing.assert_allclose(seen["picture"], expected, rtol=1e-5)


def test_images_are_sent_as_pixels(executor: ThreadPoolExecutor) -> None:
    app = app_of(pictures(), executor)
    answer = ask(app, "/image", {"image": 27}).json
    assert answer["classes"] == [1, 2, 3]
    assert ask(app, "/find", {"classes": [1, 2, 3], "changed": 0}).json["image"] == 27
    (seen,) = ask(app, "/views", {"views": [{"image": 27}], "units": []}).json
    for uri in (answer["picture"], seen["picture"]):
        content = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
        shown = np.asarray(Image.open(io.BytesIO(content)))
        assert shown.shape == (8, 8)
        assert (shown[2:4, 4:6] == 240).all()
        assert shown.sum() == 4 * 240


def test_rows_have_largest_responses_and_errors(app: ASGIApp) -> None:
    assert ask(app, "/row", {"unit": 1}).json == {
        "responding": [1, 0, 2],
        "matrix": [0.6, 0.5, 0.4],
        "se": [0.06, 0.05, 0.04],
    }
    assert ask(app, "/row", {"unit": 2}).json == {
        "responding": [2, 1, 0],
        "matrix": [0.9, 0.8, None],
        "se": [0.09, 0.08, None],
    }


def test_plane_has_a_map_of_two_units(app: ASGIApp) -> None:
    answer = ask(app, "/plane", {"view": {"image": 0}, "first": 2, "second": 0}).json
    side = len(answer["axis"])
    assert np.shape(answer["u"]) == (2, side, side)
    np.testing.assert_allclose(answer["divergence"], A[2, 2] + A[0, 0] - 2, atol=1e-5)


def test_strip_is_a_file_or_its_command(app: ASGIApp) -> None:
    question = {"views": [{"image": 1, "set": {"2": 0.5}}], "units": [2]}
    drawn = ask(app, "/strip", {**question, "format": "svg"})
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    assert b"2 := 0.5" in drawn.content
    command = ask(app, "/strip", {**question, "format": "command"}).json["command"]
    assert command == "lrx explore ckpt=outputs/train/run 'views=[{image:1,set:{2:0.5}}]' 'show=[2]' out=strip.png"


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("/views", b"{", "must be JSON"),
        ("/views", b"[" * 100_000, "must be JSON"),
        ("/views", b"[]", "must be a mapping"),
        ("/views", b" " * (LARGEST + 1), "at most 1,048,576 bytes"),
        ("/views", b'{"views": []}', "a list of 1 to 64"),
        ("/views", b'{"views": [{"image": 100}], "units": []}', "from 0 to 99, not 100"),
        ("/views", b'{"views": [{"image": NaN}], "units": []}', "not nan"),
        ("/views", b'{"views": [{"image": 0}], "units": [3]}', "from 0 to 2"),
        ("/image", b"{}", "not None"),
        ("/row", b'{"unit": "0"}', "from 0 to 2"),
        ("/find", b'{"classes": [0], "changed": 0}', "one of each known factor"),
        ("/plane", b'{"view": {"image": 0}, "first": 0, "second": 0}', "two different units"),
        ("/strip", b'{"views": [{"image": 0}], "units": [], "format": "exe"}', "one of command, png, svg, pdf"),
    ],
)
def test_wrong_questions_get_one_line(app: ASGIApp, path: str, content: bytes, said: str) -> None:
    answer = send(app, path, content)
    assert answer.status == 400
    assert said in answer.json["error"]
    assert "\n" not in answer.json["error"]


def test_forms_of_other_pages_are_no_questions(app: ASGIApp) -> None:
    answer = send(app, "/row", b'{"unit": 0}', {**OWN, "content-type": "text/plain"})
    assert answer.status == 400
    assert "application/json" in answer.json["error"]
