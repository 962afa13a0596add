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
from typing import Any

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

from lib_finisher.cli.main import main as finisher  # noqa: E402
from lib_finisher.cli.options import cache_folder  # noqa: E402
from lib_finisher.detect.catalogue import Detectors  # noqa: E402
from lib_finisher.hosts.embedded.engine import EmbeddedHost  # noqa: E402
from lib_finisher.imaging.arrays import Pixels  # noqa: E402
from lib_finisher.imaging.files import load_picture  # noqa: E402
from lib_finisher.pipeline import Pipeline  # noqa: E402
from lib_finisher.recipe import read_recipe  # noqa: E402
from lib_finisher.review.page import write_page  # noqa: E402
from lib_finisher.stages.sections import NAMES  # noqa: E402
from lib_finisher.stages.stage import Work  # noqa: E402
from lib_finisher.stages.upscale_settings import MODEL_ONLY  # noqa: E402

PORTRAIT = HERE / "examples" / "astronaut.png"
OUT = HERE / "out" / "demo"
REPORT = "report.json"
FACTOR = 2
# The loupe begins at the portrait's face.
_LOOK_AT = (0.43, 0.22)


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
    call = ["finish", str(PORTRAIT), "--out", str(OUT), "--upscale-to", str(FACTOR), "--save-stages", "--no-cache"]
    return finisher([*call, "--report", str(OUT / REPORT)])


def _page() -> None:
    told = json.loads((OUT / REPORT).read_text(encoding="utf-8"))
    picture = told["pictures"][0]
    report = {**picture, "engine": told["engine"], "notes": [*told["notes"], *picture["notes"]]}
    stages = [
        (file.stem.partition("-")[2].capitalize(), load_picture(file).pixels)
        for file in sorted((OUT / "stages" / PORTRAIT.stem).glob("*.png"))
    ]
    portrait = load_picture(PORTRAIT).pixels
    title = "Finisher: a portrait, finished"
    write_page(OUT / "index.html", title, portrait, stages, report, _model_alone(portrait), _LOOK_AT)


def _model_alone(portrait: Pixels) -> Pixels | None:
    """What the upscaler model makes of the portrait without Finisher; None where there is no model."""
    host = EmbeddedHost(cache_folder() / "upscalers")
    if not host.upscalers():
        return None
    recipe: dict[str, Any] = {name: {"enabled": False} for name in NAMES}
    only = {"factor": FACTOR, "method": MODEL_ONLY, "upscaler_blend": 1.0}
    recipe |= {"upscale": {"passes": [only]}, "texture": {"enabled": False, "keep_detail": 0}}
    pipeline = Pipeline(host, Detectors().detect, read_recipe(recipe, host.model().family))
    return pipeline.run([Work(portrait)])[0].pixels


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
