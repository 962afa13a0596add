"""The report as one self-contained HTML page: a slider between pictures, a loupe, the stages, what was done."""

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
from lib_finisher.quality.measured import Quality

_TEMPLATE = Path(__file__).parent / "page.html"
_JPEG_QUALITY = 95
_COLUMNS = ("stage", "status", "size", "seconds", "patches", "engine calls", "megapixel-steps", "what was done")


def write_page(
    path: Path,
    title: str,
    base: Pixels,
    stages: Sequence[tuple[str, Pixels]],
    report: Mapping[str, Any],
    model: Pixels | None = None,
    look_at: tuple[float, float] = (0.5, 0.5),
) -> None:
    """Write the page for one picture: the draft enlarged plainly, an upscaler model alone, and the finished one.

    `stages` are (label, picture) in order, the last being the finished one; `report` is the picture's JSON report with
    "engine" beside it. `model` is what an upscaler model alone makes of the draft, of the finished size; None where
    there is none. `look_at` (x, y; 0..1) is where the loupe looks first. Pictures are embedded as JPEG, each at its own
    size. Raises OSError.
    """
    finished = stages[-1][1]
    steps = [("Base", base), *stages]
    compared = [("plain", "enlarged plainly", _data_uri(np.clip(resize(base, size_of(finished)), 0.0, 1.0)))]
    if model is not None:
        compared.append(("model", "upscaler model alone", _data_uri(model)))
    fields = {
        "TITLE": html.escape(title),
        "ENGINE": html.escape(str(report["engine"])),
        "CHOICES": "\n".join(_choice(name, label, number == 0) for number, (name, label, _) in enumerate(compared)),
        "PANES": "\n".join(_pane(*pane) for pane in [*compared, ("finished", "finished", "")]),
        "AFTER": _data_uri(finished),
        "BEFORE_SIZE": str(size_of(base)),
        "AFTER_SIZE": str(size_of(finished)),
        "LOOK_X": f"{look_at[0]:.4f}",
        "LOOK_Y": f"{look_at[1]:.4f}",
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


def _choice(name: str, label: str, chosen: bool) -> str:
    checked = " checked" if chosen else ""
    return (
        f'    <label><input type="radio" name="left" value="{name}" data-label="{html.escape(label)}"{checked}>'
        f"<span>{html.escape(label)}</span></label>"
    )


def _pane(name: str, label: str, uri: str) -> str:
    # The finished picture is in the page already.
    source = f' src="{uri}"' if uri else ""
    return (
        f'    <figure><div class="pane" data-name="{name}"><img{source} alt="{html.escape(label)}, at 100 %"></div>'
        f"<figcaption>{html.escape(label)}</figcaption></figure>"
    )


def _figure(label: str, pixels: Pixels) -> str:
    size = size_of(pixels)
    caption = f"{html.escape(label)} <small>{size}</small>"
    uri = _data_uri(pixels)
    return (
        f'<figure><button type="button" class="stage" aria-label="Show {html.escape(label)} on the right">'
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
            "; ".join(filter(None, [item["reason"], *item["notes"], _measured(item)])),
        )
        status = html.escape(str(item["status"]))
        columns = "".join(
            f'<td data-head="{name}">{html.escape(str(cell))}</td>' for name, cell in zip(_COLUMNS, cells, strict=True)
        )
        rows.append(f'<tr class="{status}">{columns}</tr>')
    return "\n".join(rows)


def _measured(item: Mapping[str, Any]) -> str:
    """What a stage gained and lost, in words; "" where it was not measured."""
    figures = item.get("quality")
    return f"measured: {Quality(**figures).told}" if figures else ""


def _data_uri(pixels: Pixels) -> str:
    buffer = io.BytesIO()
    Image.fromarray(to_uint8(pixels)).save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
