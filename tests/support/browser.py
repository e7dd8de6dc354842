"""A real browser for tests of pages: Chromium as the distribution has it, one for all tests of a process."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("LAYEREXPLAIN_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@cache
def browser() -> Any:
    """The browser; a test without one is skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, which the dev extra has")
    if CHROMIUM is None:
        pytest.skip("needs Chromium (apt install chromium)")
    # It ends with the process; a test that stops it would stop it for the others.
    return sync_api.sync_playwright().start().chromium.launch(executable_path=CHROMIUM)


MOST_WAIT = 120_000
"""Milliseconds after which something does not come: far more than it takes on a busy machine."""

NEXT_FRAME = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""What a page evaluates until what has changed is drawn."""


def until(page: Any, holds: str, arg: Any = None) -> None:
    """Wait until an expression, or a function of `arg`, holds in a page, whose policy forbids `wait_for_function`."""
    for _ in range(MOST_WAIT // 10):
        if page.evaluate(holds, arg):
            return
        page.wait_for_timeout(10)
    raise AssertionError(f"it does not come: {holds}")


FILLED = "!document.querySelector('[aria-busy]')"
"""Whether all of what is chosen is there: a pane is filled part by part."""


def rested(page: Any) -> None:
    """Wait until what is chosen is all there and drawn, and nothing moves any more."""
    page.evaluate(NEXT_FRAME)
    until(page, f"{FILLED} && document.getAnimations().every((one) => one.playState === 'finished')")
    page.evaluate(NEXT_FRAME)


_BLANK: dict[tuple[tuple[str, Any], ...], list[Any]] = {}
"""Pages that are open and show nothing, for the next tests, by the options of their contexts: a page in a new context
takes a new process, and three times the time."""


def _new_page(**options: Any) -> Any:
    page = browser().new_context(**options).new_page()
    page.context.set_default_timeout(MOST_WAIT)
    return page


def _clear(page: Any, listeners: Mapping[str, Callable[[Any], None]]) -> None:
    """Leave nothing of a test in a page: its listeners, where the mouse is, what media it shows, its document."""
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    page.mouse.move(-1, -1)
    page.emulate_media(media="null")
    page.goto("about:blank")


@contextmanager
def shown(
    html: str, folder: Path, anchor: str = "", width: int = 1200, complains: str = "", **options: Any
) -> Iterator[Any]:
    """A page that is open in a browser, when it is ready. Whatever it complains of, but for what has `complains` in it,
    and each request beside that for its file, fails the test. `options` are those of a browser context: color_scheme,
    has_touch."""
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    blank = _BLANK.setdefault(tuple(sorted(options.items())), [])
    page = blank.pop() if blank else _new_page(**options)
    said: list[str] = []
    asked: list[str] = []
    listeners: dict[str, Callable[[Any], None]] = {
        "console": lambda message: said.append(message.text),
        "pageerror": lambda error: said.append(str(error)),
        "request": lambda request: asked.append(request.url),
    }
    passed = False
    try:
        page.set_viewport_size({"width": width, "height": 800})
        for event, listener in listeners.items():
            page.on(event, listener)
        page.goto(f"{file.as_uri()}{f'#{anchor}' if anchor else ''}")
        page.wait_for_selector("body.ready")
        until(page, FILLED)
        yield page
        assert [text for text in said if not complains or complains not in text] == []
        assert [url.partition("#")[0] for url in asked if not url.startswith("blob:")] == [file.as_uri()]
        passed = True
    finally:
        if passed:
            _clear(page, listeners)
            blank.append(page)
        else:
            page.context.close()
