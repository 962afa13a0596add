"""The stand-in web UI: `python tests/standin/serve.py PORT [--data-dir DIR] [--api-auth USER:PASSWORD]`.

Runs on whichever gradio is installed, 3.41 or 4.40. Prints one line when everything is ready.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# In front of everything: `modules` must be the stand-in's, and the library the repository's own.
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "matplotlib", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    import torch

    torch.set_num_threads(1)
    from modules import initialize, paths_internal, shared

    # The host runs in its own folder; "/file=params.txt" is read from there.
    os.chdir(paths_internal.data_path)
    initialize.initialize()
    while True:
        serve_once()
        if shared.state.wait_for_server_command() == "stop":
            return
        restart()


def serve_once() -> None:
    """One page, from its making to the callbacks of started extensions."""
    from modules import call_queue, page, progress, script_callbacks, shared, ui
    from modules.api.api import Api

    script_callbacks.before_ui_callback()
    shared.demo = ui.create_ui()
    shared.demo.queue()
    options = shared.cmd_opts
    app, _, _ = shared.demo.launch(
        server_name="127.0.0.1", server_port=options.port, prevent_thread_lock=True, quiet=True, show_api=False,
        inbrowser=False, allowed_paths=page.allowed_paths(), app_kwargs={"docs_url": "/docs"},
        auth=[tuple(item.split(":", 1)) for item in options.gradio_auth.split(",")] if options.gradio_auth else None,
    )  # fmt: skip
    app.user_middleware = [item for item in app.user_middleware if item.cls.__name__ != "CORSMiddleware"]
    # So that routes and middleware can still be added to a server that runs.
    app.middleware_stack = None
    progress.setup_progress_api(app)
    ui.setup_ui_api(app)
    allow_origins(app, options)
    if options.api:
        shared.api = Api(app, call_queue.queue_lock)
    app.middleware_stack = app.build_middleware_stack()
    script_callbacks.app_started_callback(shared.demo, app)
    print(f"ready: http://127.0.0.1:{options.port}/", flush=True)  # noqa: T201 (what whoever started it waits for)


def allow_origins(app: Any, options: Any) -> None:
    """What a browser is told of the pages that may ask here; by itself none."""
    from starlette.middleware.cors import CORSMiddleware

    named: dict[str, Any] = {"allow_methods": ["*"], "allow_headers": ["*"], "allow_credentials": True}
    if options.cors_allow_origins:
        named["allow_origins"] = options.cors_allow_origins.split(",")
    if options.cors_allow_origins_regex:
        named["allow_origin_regex"] = options.cors_allow_origins_regex
    app.add_middleware(CORSMiddleware, **named)


def restart() -> None:
    """Reload UI: scripts are loaded again, libraries are not."""
    from modules import initialize, script_callbacks, shared

    # Otherwise it waits for the connections of pages that have gone, for ever with some versions of uvicorn.
    shared.demo.server.force_exit = True
    shared.demo.close()
    wait_until_free(shared.cmd_opts.port)
    script_callbacks.app_reload_callback()
    script_callbacks.script_unloaded_callback()
    initialize.initialize_rest(reload_script_modules=True)


def wait_until_free(port: int) -> None:
    """Gradio takes no port whose connections of before are still being closed, which takes a minute at most."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        time.sleep(0.5)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return


if __name__ == "__main__":
    main()
