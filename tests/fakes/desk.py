"""A hub that is served, and a real Chromium in front of it.

Every page is watched: one console error, one refused script or style, one failed request, and the
test fails.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from fakes.browser import ARGUMENTS, CHROMIUM
from fakes.pages import PASSWORD, Pages
from inkwire.pages.door import SESSION_COOKIE

AXE = Path(__file__).parents[1] / "console/vendor/axe.min.js"
#: What a page must show at last, however busy the machine is; costs nothing when it is there.
SEEN_MS = 30_000
expect.set_options(timeout=SEEN_MS)
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
#: Collects layout shifts that nobody's click or key caused, and refusals by the policy.
WATCH = """
window.shifts = 0; window.refused = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
document.addEventListener("securitypolicyviolation", (event) =>
  window.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
OPEN_FOLDS = "for (const fold of document.querySelectorAll('details')) fold.open = true"


@contextmanager
def chromium_of(machine: Path = Path(CHROMIUM)) -> Iterator[Browser]:
    """Debian's browser. A machine without it fails here, with the command that helps."""
    if not machine.exists():
        pytest.fail(f"{machine} is missing: run `apt-get install --yes chromium`", pytrace=False)
    if not AXE.exists():
        pytest.fail(f"{AXE} is missing: run `make assets`", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(machine), args=ARGUMENTS)
        yield browser
        browser.close()


class Desk:
    """A hub that is served, and browsers in front of it."""

    def __init__(self, chromium: Browser, pages: Pages, address: str) -> None:
        self._chromium = chromium
        self.pages = pages
        self.address = address
        self._sessions: dict[str, str] = {}

    @contextmanager
    def open(
        self, path: str = "/", *, name: str = "admin", expected: int = 200, **context: Any
    ) -> Iterator[Page]:
        """A signed-in page (`name` empty: a stranger), watched to the end.

        `expected`: a refusal that the test provokes; Chromium notes each one on its console.
        """
        options = {"viewport": DESK, "reduced_motion": "reduce"} | context
        opened = self._chromium.new_context(**options)
        opened.set_default_timeout(SEEN_MS)
        if name:
            self._let_in(opened, name)
        opened.add_init_script(WATCH)
        page = opened.new_page()
        wrong: list[str] = []
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.extend(_failure(request)))
        page.goto(f"{self.address}{path}")
        yield page
        if options.get("java_script_enabled", True) and "/raw" not in page.url:
            wrong += page.evaluate("window.refused")
        opened.close()
        assert [text for text in wrong if f"with a status of {expected} " not in text] == []

    def _let_in(self, context: BrowserContext, name: str) -> None:
        if name not in self._sessions:
            token, _ = self.pages.hub.gate.sign_in(name, PASSWORD, remote="192.0.2.9")
            self._sessions[name] = token
        session = {"name": SESSION_COOKIE, "value": self._sessions[name]}
        context.add_cookies([session | {"url": f"{self.address}/"}])


def _failure(request: Any) -> list[str]:
    """A news stream that ends because its page was left is no failure."""
    left = request.failure == "net::ERR_ABORTED"
    return [] if left else [f"{request.url}: {request.failure}"]


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Waits for a fact outside the browser."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def judged(page: Page, path: str, rules: dict[str, Any]) -> dict[str, list[str]]:
    """Serious and critical findings of axe-core on this page."""
    page.evaluate(AXE.read_text("utf-8"))
    result = page.evaluate("rules => axe.run({ resultTypes: ['violations'], ...rules })", rules)
    bad = [
        f"{v['id']}: {v['nodes'][0]['html'][:160]} {v['nodes'][0]['failureSummary']}"
        for v in result["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    return {path: bad} if bad else {}
