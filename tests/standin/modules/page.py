"""Puts the page's scripts and styles, the host's own and the extensions', into what gradio serves."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr

from modules import extensions, paths_internal, scripts, shared

_OWN = Path(paths_internal.script_path)
_original = gr.routes.templates.TemplateResponse


def webpath(file):
    return f"file={file}?{Path(file).stat().st_mtime}"


def serve_scripts():
    options = {key: shared.opts.data.get(key, item.default) for key, item in shared.opts.data_labels.items()}
    head = f"<script>window.opts = {json.dumps(options, default=str)};</script>\n"
    files = [str(_OWN / "page.js"), *(file.path for file in scripts.list_scripts("javascript", ".js"))]
    head += "".join(f'<script type="text/javascript" src="{webpath(file)}"></script>\n' for file in files)
    styles = [str(_OWN / "page.css"), *(str(Path(item.path) / "style.css") for item in extensions.active())]
    body = "".join(f'<link rel="stylesheet" href="{webpath(file)}">' for file in styles if Path(file).is_file())

    def response(*arguments, **told):
        found = _original(*arguments, **told)
        found.body = found.body.replace(b"</head>", f"{head}</head>".encode())
        found.body = found.body.replace(b"</body>", f"{body}</body>".encode())
        found.init_headers()
        return found

    gr.routes.templates.TemplateResponse = response


def allowed_paths():
    """Folders whose files the page may ask for: the data folder and every extension's own scripts and styles."""
    own = [str(_OWN / name) for name in ("page.js", "page.css")]
    folders = [Path(item.path) / name for item in extensions.active() for name in ("javascript", "style.css")]
    return [paths_internal.data_path, *own, *(str(item) for item in folders if item.exists())]
