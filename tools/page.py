"""Serves the accordion in the stand-in web UI, on the embedded engine: everything works, and no model is needed.

Run by the Python of one of the gradio environments; `make page` does it. Settings and pictures lie under out/page-host.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
DATA = HERE / "out" / "page-host"
PORTRAIT = HERE / "examples" / "astronaut.png"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=7860, help="the first one that is tried")
    options = parser.parse_args()
    DATA.mkdir(parents=True, exist_ok=True)
    port = _free(options.port)
    command = [sys.executable, str(HERE / "tests" / "standin" / "serve.py"), str(port), "--data-dir", str(DATA)]
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    log = DATA / "log.txt"
    with log.open("wb") as errors:
        server = subprocess.Popen(command, cwd=HERE, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if line.startswith("ready:"):
                _tell(port)
        return server.wait()
    except KeyboardInterrupt:
        print()
        return 0
    finally:
        server.terminate()
        if server.wait() > 0:
            sys.stderr.write(f"The page has ended; {log.relative_to(HERE)} says why.\n")


def _tell(port: int) -> None:
    print(
        "In txt2img open Finisher, choose under Quick choices and press Generate; in img2img drop a picture, such as "
        f"{PORTRAIT.relative_to(HERE)}.\nThe engine is Finisher's embedded one, not Stable Diffusion. Ctrl-C ends it.\n"
        f"serving http://127.0.0.1:{port}/",
        flush=True,
    )


def _free(port: int) -> int:
    while True:
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                port += 1
                continue
        return port


if __name__ == "__main__":
    sys.exit(main())
