"""Pages as a reader's browser shows them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WIDTHS = (360, 768, 1280, 2560)


@contextmanager
def opened(browser: Any, path: Path, width: int = 1280, place: str = "") -> Iterator[Any]:
    """A file without the net, at a window's width; nothing may be asked for elsewhere, and no error said."""
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    said: list[str] = []
    try:
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if _foreign(request.url) else None)
        page.goto(f"{path.resolve().as_uri()}{place}")
        yield page
        assert not said, said
    finally:
        context.close()


def overflow(page: Any) -> int:
    """By how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def _foreign(address: str) -> bool:
    return not address.startswith(("file:", "data:"))
