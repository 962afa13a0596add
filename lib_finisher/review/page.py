"""The report as one self-contained HTML page: a before/after slider, the stages, the table of what was done."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lib_finisher.imaging.arrays import Pixels, to_uint8
from lib_finisher.imaging.geometry import size_of
from lib_finisher.imaging.resize import resize

_TEMPLATE = Path(__file__).parent / "page.html"
_JPEG_QUALITY = 92
_COLUMNS = ("stage", "status", "size", "seconds", "patches", "engine calls", "megapixel-steps", "what was done")


def write_page(
    path: Path, title: str, base: Pixels, stages: Sequence[tuple[str, Pixels]], report: Mapping[str, Any]
) -> None:
    """Write the page for one picture.

    `stages` are (label, picture) in order, the last being the finished one; `report` is the picture's JSON report with
    "engine" beside it. Pictures are embedded as JPEG, each at its own size. Raises OSError.
    """
    finished = stages[-1][1]
    steps = [("Base", base), *stages]
    plain = np.clip(resize(base, size_of(finished)), 0.0, 1.0)
    fields = {
        "TITLE": html.escape(title),
        "ENGINE": html.escape(str(report["engine"])),
        "BEFORE": _data_uri(plain),
        "AFTER": _data_uri(finished),
        "BEFORE_SIZE": str(size_of(base)),
        "AFTER_SIZE": str(size_of(finished)),
        "WIDTH": str(finished.shape[1]),
        "HEIGHT": str(finished.shape[0]),
        "NOTES": "".join(f"<li>{html.escape(note)}</li>" for note in report.get("notes", ())),
        "STAGES": "\n".join(_figure(label, pixels) for label, pixels in steps),
        "TABLE": _table(report["stages"]),
    }
    page = _TEMPLATE.read_text(encoding="utf-8")
    for key, value in fields.items():
        page = page.replace(f"@{key}@", value)
    path.write_text(page, encoding="utf-8")


def _figure(label: str, pixels: Pixels) -> str:
    size = size_of(pixels)
    caption = f"{html.escape(label)} <small>{size}</small>"
    uri = _data_uri(pixels)
    return (
        f'<figure><button type="button" class="stage" aria-label="Compare {html.escape(label)} with the base">'
        f'<img src="{uri}" alt="{html.escape(label)}" loading="lazy"></button>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _table(stages: Sequence[Mapping[str, Any]]) -> str:
    rows = ["<tr>" + "".join(f"<th>{name}</th>" for name in _COLUMNS) + "</tr>"]
    for item in stages:
        ran = item["status"] in ("ran", "reused")
        cells = (
            item["stage"],
            item["status"],
            f"{item['size'][0]}×{item['size'][1]}",
            f"{item['seconds']:.1f}" if ran else "",
            item["patches"] or "",
            item["host_calls"] or "",
            f"{item['megapixel_steps']:.1f}" if item["megapixel_steps"] else "",
            "; ".join([item["reason"], *item["notes"]]),
        )
        status = html.escape(str(item["status"]))
        columns = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
        rows.append(f'<tr class="{status}">{columns}</tr>')
    return "\n".join(rows)


def _data_uri(pixels: Pixels) -> str:
    buffer = io.BytesIO()
    Image.fromarray(to_uint8(pixels)).save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
