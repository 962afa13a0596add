"""Pictures of the accordion in Chromium, for looking at: closed, open, and every row with all of its settings.

    .venv/bin/python tools/page_pictures.py FOLDER [--gradio 3 4] [--width 1600 390] [--theme light dark]

Starts the stand-in web UI itself, on each gradio that is asked for.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent.parent
WIDTHS = (1600, 1280, 1024, 800, 414, 390, 360)
ROWS = ("base", "refine", "extend", "repair", "detail", "upscale", "texture", "grade")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PORT = 7990
ACCORDION = "#finisher_txt2img"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gradio", nargs="+", default=["3", "4"], choices=("3", "4"))
    parser.add_argument("--width", nargs="+", type=int, default=list(WIDTHS))
    parser.add_argument("--theme", nargs="+", default=["light", "dark"], choices=("light", "dark"))
    parser.add_argument("--row", nargs="*", default=list(ROWS), choices=ROWS)
    parser.add_argument("--quick", default="", help="the quick choice that is pressed first")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for gradio in options.gradio:
        with _standin(gradio) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=_chromium(), args=FLAGS)
            for theme in options.theme:
                for width in options.width:
                    page = browser.new_page(viewport={"width": width, "height": 1100})
                    page.goto(f"{url}?__theme={theme}")
                    _take(page, options.folder / f"gradio{gradio}-{theme}-{width:04}", options.row, options.quick)
                    page.close()
            browser.close()
    return 0


def _take(page: Any, name: Path, rows: list[str], quick: str) -> None:
    def picture(part: str) -> None:
        page.wait_for_timeout(300)
        page.locator(ACCORDION).screenshot(path=f"{name}-{part}.png")

    page.wait_for_selector("#finisher_txt2img-visible-checkbox")
    picture("closed")
    page.click(f"{ACCORDION} .label-wrap")
    page.wait_for_selector(f"{ACCORDION} .finisher-row")
    page.wait_for_timeout(900)
    if quick:
        page.locator(f"{ACCORDION} .finisher-quick button", has_text=quick).first.click()
        page.wait_for_timeout(900)
    picture("open")
    for row in rows:
        pen = f"#finisher-txt2img-{row}-pen"
        page.click(pen)
        for group in page.locator(
            f"#finisher-txt2img-{row}-more .finisher-group:not(.finisher-catalogue) > summary"
        ).all():
            group.click()
        picture(row)
        page.click(pen)


@contextmanager
def _standin(gradio: str) -> Iterator[str]:
    python = HERE / f".venv-gradio{gradio}" / "bin" / "python"
    with tempfile.TemporaryDirectory() as data:
        port = PORT + int(gradio)
        command = [str(python), str(HERE / "tests" / "standin" / "serve.py"), str(port), "--data-dir", data]
        environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
        server = subprocess.Popen(command, cwd=HERE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert server.stdout is not None
            for line in server.stdout:
                if line.startswith(b"ready:"):
                    break
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.kill()
            server.wait()


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("There is no Chromium on this machine: install the package chromium.")
    return found


if __name__ == "__main__":
    sys.exit(main())
