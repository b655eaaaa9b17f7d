"""Debian's Chromium, headless and driven by playwright, with what is wrong with a page as a list."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright


class Chromium:
    """Browser with one page at a time.

    problems: console messages, errors and requests of its pages, since `open`. own: the address that a page may ask.
    """

    def __init__(self) -> None:
        self._playwright = sync_playwright().start()
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        self._browser = self._playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        self.problems: list[str] = []
        self.pages: list[Page] = []

    def close(self) -> None:
        """End the browser."""
        self._browser.close()
        self._playwright.stop()

    def open(self, page: Path | str, *, width: int, dark: bool = False) -> Page:
        """Load a file or an address at a width in CSS pixels, in place of the page before."""
        for before in self.pages:
            before.close()
        self.pages.clear()
        self.problems.clear()
        return self.tab(page, width=width, dark=dark)

    def tab(self, page: Path | str, *, width: int, dark: bool = False) -> Page:
        """Load a file or an address beside the page before."""
        address = page.resolve().as_uri() if isinstance(page, Path) else page
        opened = self._browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        opened.set_default_timeout(15_000)
        opened.on("console", lambda message: self.problems.append(f"console.{message.type}: {message.text}"))
        opened.on("pageerror", lambda error: self.problems.append(str(error)))
        opened.on("request", lambda request: self._check(request.url, address))
        self.pages.append(opened)
        opened.goto(address)
        return opened

    def run(self, script: str) -> Any:
        """The value of a script in the page."""
        return self.pages[-1].evaluate(script)

    def _check(self, url: str, own: str) -> None:
        local = ("file:", "data:", "blob:") if own.startswith("file:") else ("data:", "blob:", own)
        if not url.startswith(local):
            self.problems.append(f"asks for {url}")
