"""The demo: finishes the public-domain portrait in examples/ to twice its size and shows how, stage by stage."""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import shutil
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

from lib_finisher.cli import main as finisher  # noqa: E402
from lib_finisher.imaging.files import load_picture  # noqa: E402
from lib_finisher.review.page import write_page  # noqa: E402

PORTRAIT = HERE / "examples" / "astronaut.png"
OUT = HERE / "out" / "demo"
REPORT = "report.json"


def main() -> int:
    """Exit status 0 when the portrait was finished."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="do not serve the page afterwards")
    parser.add_argument("--port", type=int, default=7870)
    options = parser.parse_args()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    began = time.monotonic()
    status = _finish()
    if status:
        return status
    _page()
    shown = OUT.relative_to(HERE)
    print(
        f"\ndone in {time.monotonic() - began:.0f} s; look at {shown}/index.html ({shown}/astronaut.png is the result)"
    )
    print("the accordion of the web UI, to click through: make page")
    if not options.once:
        _serve(options.port)
    return 0


def _finish() -> int:
    """Run the command line as a user would, and keep its report."""
    call = ["finish", str(PORTRAIT), "--out", str(OUT), "--upscale-to", "2", "--save-stages", "--no-cache"]
    return finisher([*call, "--report", str(OUT / REPORT)])


def _page() -> None:
    told = json.loads((OUT / REPORT).read_text(encoding="utf-8"))
    picture = told["pictures"][0]
    report = {**picture, "engine": told["engine"], "notes": [*told["notes"], *picture["notes"]]}
    stages = [
        (file.stem.partition("-")[2].capitalize(), load_picture(file).pixels)
        for file in sorted((OUT / "stages" / PORTRAIT.stem).glob("*.png"))
    ]
    write_page(OUT / "index.html", "Finisher: a portrait, finished", load_picture(PORTRAIT).pixels, stages, report)


def _serve(port: int) -> None:
    handler = functools.partial(_Quiet, directory=str(OUT))
    while True:
        try:
            server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
            break
        except OSError:
            port += 1
    print(f"serving http://127.0.0.1:{port}/ (Ctrl-C ends it)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the folder without a line for every request."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


if __name__ == "__main__":
    sys.exit(main())
