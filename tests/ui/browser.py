"""Headless Chromium over the DevTools protocol: open, wait for words, click them, take a picture."""

import base64
import itertools
import json
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

DEADLINE_SECONDS = 90

# A click as a person makes it: the innermost visible element whose text is exactly this.
FIND = """(() => {
  const wanted = %s;
  const shown = element => { const box = element.getBoundingClientRect(); return box.width && box.height; };
  const found = [...document.querySelectorAll('button, a, [role=tab], [role=button], label, span, div')]
    .filter(element => element.textContent.trim() === wanted && shown(element) && !element.disabled);
  if (!found.length) return null;
  const box = found[found.length - 1].getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()"""

SCROLL = """(() => {
  const found = [...document.querySelectorAll('button, a, span, div, td')]
    .filter(element => element.textContent.trim() === %s).pop();
  if (found) found.scrollIntoView({block: 'start'});
  return !!found;
})()"""

PRESS = """(() => {
  const button = [...document.querySelectorAll('button')]
    .filter(b => !b.disabled && b.textContent.trim().startsWith(%s)).pop();
  if (button) button.click();
  return !!button;
})()"""

PRESS_ARROW = """(() => {
  const buttons = [...document.querySelectorAll('button')];
  const arrow = buttons[buttons.findLastIndex(b => b.textContent.trim().startsWith(%s)) + 1];
  if (arrow) arrow.click();
  return !!arrow;
})()"""


class Browser:
    """One page of one Chromium."""

    def __init__(self, binary: str, profile: Path, pictures: Path) -> None:
        self._pictures = pictures
        pictures.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [binary, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        port_file = profile / "DevToolsActivePort"
        self._until(port_file.exists, "Chromium's port")
        port = self._until(lambda: port_file.read_text().split("\n")[0], "Chromium's port")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            page = next(one for one in json.load(answer) if one["type"] == "page")
        self._socket = connect(page["webSocketDebuggerUrl"], max_size=None)
        self._ids = itertools.count(1)

    def command(self, method: str, **parameters: Any) -> Any:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=DEADLINE_SECONDS))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def evaluate(self, script: str) -> Any:
        return self.command("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def open(self, url: str, *words: str, width: int = 1800, height: int = 1100) -> None:
        """Open a page and wait until it shows the words."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", **size)
        self.command("Page.navigate", url=url)
        for word in words:
            self.wait_for(word)

    def wait_for(self, word: str) -> None:
        self._until(lambda: word in (self.evaluate("document.body.innerText") or ""), f"{word!r} on the page")

    def wait_for_element(self, selector: str) -> None:
        self._until(lambda: self.evaluate(f"!!document.querySelector({json.dumps(selector)})"), selector)

    def wait_while(self, word: str) -> None:
        self._until(lambda: word not in (self.evaluate("document.body.innerText") or word), f"{word!r} to go")

    def click(self, text: str) -> None:
        """Click what shows exactly these words, once it has come to rest: menus slide in."""
        x, y = self._until(lambda: self._resting_place(text), f"{text!r} to click")
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def show(self, text: str) -> None:
        """Scroll to what shows exactly these words."""
        self._until(lambda: self.evaluate(SCROLL % json.dumps(text)), f"{text!r} to show")

    def press_button(self, beginning: str) -> None:
        """Press the last button whose words begin so, once it can be pressed."""
        self._until(lambda: self.evaluate(PRESS % json.dumps(beginning)), f"a button {beginning!r}")

    def press(self, selector: str) -> None:
        """Press what a CSS selector finds, shown whole or not."""
        script = f"(e => (e && e.click(), !!e))(document.querySelector({json.dumps(selector)}))"
        self._until(lambda: self.evaluate(script), f"{selector} to press")

    def open_menu_of(self, beginning: str) -> None:
        """Press the arrow beside the last button whose words begin so."""
        self._until(lambda: self.evaluate(PRESS_ARROW % json.dumps(beginning)), f"a menu of {beginning!r}")

    def picture(self, name: str) -> Path:
        path = self._pictures / f"{name}.png"
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"]))
        return path

    def close(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(30)

    def _resting_place(self, text: str) -> list[float] | None:
        before = self.evaluate(FIND % json.dumps(text))
        time.sleep(0.15)
        return before if before and before == self.evaluate(FIND % json.dumps(text)) else None

    def _until(self, condition: Any, what: str) -> Any:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (value := condition()):
            assert time.monotonic() < deadline, f"timed out waiting for {what}; {self._seen()}"
            time.sleep(0.2)
        return value

    def _seen(self) -> str:
        try:
            self.picture("failed")
            return str(self.evaluate("document.body.innerText"))[:2000]
        except Exception as error:
            return f"no page: {error}"
