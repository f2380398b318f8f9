"""A phone's browser, driven: headless Chromium at 320 px."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

WIDTH, HEIGHT = 320, 640
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def chromium() -> tuple[str, str] | None:
    """The browser and its driver, where both are installed."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


def axe_script() -> str | None:
    """axe-core: the file that AXE_JS names, else the one in the package axe-playwright-python."""
    named = os.environ.get("AXE_JS")
    spec = find_spec("axe_playwright_python")
    inside = Path(spec.submodule_search_locations[0], "axe.min.js") if spec else None  # type: ignore[index]
    file = Path(named) if named else inside
    return file.read_text() if file and file.exists() else None


class Phone:
    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self.become()

    def become(
        self,
        *,
        scheme: str = "light",
        script: bool = True,
        zone: str = "UTC",
        width: int = WIDTH,
        height: int = HEIGHT,
        scale: float = 2,
    ) -> None:
        """Another phone: what it prefers, and whether it runs scripts."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": True}
        dark = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self._tell("Emulation.setDeviceMetricsOverride", size)
        self._tell("Emulation.setEmulatedMedia", dark)
        self._tell("Emulation.setScriptExecutionDisabled", {"value": not script})
        self._tell("Emulation.setTimezoneOverride", {"timezoneId": zone})

    def open(self, url: str) -> None:
        self.driver.get(url)

    def tap(self, text: str) -> None:
        path = f"//*[self::button or self::summary or self::a][contains(normalize-space(.), '{text}')]"
        self.driver.find_element("xpath", path).click()

    def until(self, text: str, seconds: float = 15) -> None:
        """Wait for the page to say `text` in its headline."""

        def says(driver: webdriver.Chrome) -> bool:
            return text in self.headline

        WebDriverWait(self.driver, seconds, poll_frequency=0.1, ignored_exceptions=[Exception]).until(says)

    @property
    def headline(self) -> str:
        return self.driver.find_element("css selector", "h1").text

    @property
    def text(self) -> str:
        return self.driver.find_element("css selector", "body").text

    def evaluate(self, expression: str) -> Any:
        answer = self._tell(
            "Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True}
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def complaints(self, rule: str | None = None) -> list[str]:
        """What axe finds wrong by its standards, or by one rule; one line each."""
        self.evaluate(axe_script() or "")
        chosen = {"type": "rule", "values": [rule]} if rule else {"type": "tag", "values": STANDARDS}
        rules = json.dumps({"runOnly": chosen, "resultTypes": ["violations"]})
        found = self.evaluate(f"axe.run(document, {rules}).then(r => r.violations)")
        return [f"{v['id']}: {n['html'][:160]} {n['failureSummary']}" for v in found for n in v["nodes"]]

    def picture(self, file: Path, *, whole: bool = False) -> None:
        shot = self._tell("Page.captureScreenshot", {"captureBeyondViewport": whole})
        file.write_bytes(base64.b64decode(shot["data"]))

    def console(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def _tell(self, command: str, params: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.driver.execute_cdp_cmd(command, params)
        return answer


@contextmanager
def phone(profile: Path) -> Iterator[Phone]:
    found = chromium()
    assert found is not None
    options = Options()
    options.binary_location = found[0]
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (*QUIET, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(found[1]))
    try:
        yield Phone(driver)
    finally:
        driver.quit()
