# SPDX-License-Identifier: Apache-2.0
"""Makes docs/figures/live_view.png: the live view, with real meshes, in headless Chromium.

    python docs/figures/photograph_live_view.py [--engine compact] [--out FILE]

Needs Chromium and the extra `view`. `tests/recon_node/test_live_view.py` drives the same browser.
"""

import argparse
import base64
import io
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (  # WebGL in software; nothing that looks for a network
    *("--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    "--remote-debugging-port=0",
)
PATIENCE = 90.0  # of anything the browser does [s]


class Browser:
    """A page in headless Chromium, driven over the DevTools protocol; a context manager.

    Args:
        url: Of the page.
        size: Of its window [px].
    """

    def __init__(self, url: str, *, size: tuple[int, int] = (1280, 800)):
        self._url, self._size, self._numbers = url, size, itertools.count(1)

    def __enter__(self) -> "Browser":
        from websockets.sync.client import connect  # comes with viser

        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        window = f"--window-size={self._size[0]},{self._size[1]}"
        profile = f"--user-data-dir={self._folder.name}"
        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, window, profile, "about:blank"], stderr=subprocess.DEVNULL
        )
        try:
            port_file = Path(self._folder.name) / "DevToolsActivePort"
            wait_for(port_file.is_file, "Chromium did not start")
            port = port_file.read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=PATIENCE) as page:
                targets = json.load(page)
            target = next(target for target in targets if target["type"] == "page")
            address = target["webSocketDebuggerUrl"]
            self._socket = connect(address, max_size=None, proxy=None)
            self.command("Page.enable")
            self.command("Page.navigate", url=self._url)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._socket.close()
        self._stop()

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def command(self, method: str, **parameters) -> dict:
        """The result of a DevTools command."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = json.loads(self._socket.recv(timeout=max(deadline - time.monotonic(), 0.1)))
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def value(self, expression: str):
        """The value of a JavaScript expression, None where it has none."""
        answer = self.command("Runtime.evaluate", expression=expression)
        return answer["result"].get("value")

    def text(self) -> str:
        """What the page says."""
        return self.value("document.body.innerText") or ""

    def screenshot(self) -> Image.Image:
        """What the page shows, RGB."""
        answer = self.command("Page.captureScreenshot", format="png")
        return Image.open(io.BytesIO(base64.b64decode(answer["data"]))).convert("RGB")

    def click(self, x: float, y: float) -> None:
        """Presses and releases the left button at a place [px]."""
        for kind in ("mousePressed", "mouseReleased"):
            self.command(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )


def wait_for(condition, complaint: str) -> None:
    """Returns when the condition holds, and fails with the complaint when it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(complaint)
        time.sleep(0.1)


def main() -> None:
    """Writes the picture."""
    from recon_node.engines.camera import View
    from recon_node.engines.loading import load_engine
    from recon_node.live_view import LiveView
    from recon_node.streams.object_store import ObjectStore
    from recon_node.synthetic_camera import SyntheticCamera

    parser = argparse.ArgumentParser(description="Photographs the live view.")
    parser.add_argument("--engine", default="compact")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "live_view.png")
    args = parser.parse_args()
    frame = SyntheticCamera().render(0.0)
    engine, store = load_engine(args.engine), ObjectStore()
    live_view = LiveView(8099, host="127.0.0.1")
    for label in range(1, 7):
        view = View(frame.color, frame.labels == label, frame.camera, frame.depth)
        result = engine.reconstruct([view], object_id=f"object_{label:03d}")
        live_view.show(store.accept(result, stamp_ns=0, frame_id="world", label=label))
    with Browser(live_view.url) as browser:
        wait_for(lambda: "object_006" in browser.text(), "the page does not list the objects")
        time.sleep(5)  # the meshes follow the list
        browser.click(288, 100)  # the note that WebGL runs in software
        time.sleep(2)
        browser.screenshot().quantize(256).save(args.out)
    live_view.close()


if __name__ == "__main__":
    main()
