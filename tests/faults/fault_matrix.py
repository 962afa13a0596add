"""Every fault at every call that Finisher makes of the stand-in web UI, and what became of picture and host.

`python -m tests.faults.fault_matrix` (from the repository's root) runs the whole matrix and prints its table.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lib_finisher.imaging.files import load_picture
from lib_finisher.infotext.layout import pairs_of
from tests.conftest import PORTRAIT
from tests.smoke.client import Result, Webui, encoded, off, recipe
from tests.standin.server import GRADIOS, Standin, standin

EXTENSION = Path(__file__).parent / "planned"
FAULTS = (
    "exception", "strange exception", "memory", "memory for good", "not a number", "wrong size", "lost picture",
    "interruption", "skip",
)  # fmt: skip
SIZE = {"width": 192, "height": 192}
GENTLE = {"denoising_strength": 0.3, "steps": 4}
STAGES: dict[str, dict[str, Any]] = {
    "refine": {"enabled": True, **GENTLE, "prompt": "a face <lora:standin:0.5>", "checkpoint": "standinB"},
    "extend": {"enabled": True, "right": 32, **GENTLE},
    "repair": {"enabled": True, **GENTLE},
    "detail": {"passes": [{**GENTLE, "gate": 1.0, "width": 128, "height": 128, "restore": "GFPGAN"}]},
    "upscale": {"passes": [{**GENTLE, "factor": 1.5, "upscaler": "2x-standin", "method": "tiled", "tile": 192}]},
    "texture": {"enabled": True, "upscaler": "2x-standin", "passes": [{**GENTLE, "active": True, "tile": 256}]},
    "grade": {"enabled": True, "contrast": 0.2, "grain": 0.0},
}
# Levels of 255 that a picture may be off what an undisturbed run gives, in the mean, and still be that picture.
ALIKE = 12.0
_PLAIN_AT_MOST = 300
_NOT_PLAIN = ("Traceback", " at 0x", 'File "')


@dataclass(frozen=True)
class Outcome:
    """One fault at one call: what became of it; `wrong` says what must not be, "" where all is well."""

    mode: str
    call: int
    name: str
    fault: str
    became: str
    wrong: str


@dataclass
class Matrix:
    """A running stand-in and what it gives undisturbed."""

    host: Standin
    webui: Webui
    draft: Result
    portrait: np.ndarray
    settings: dict[str, Any]
    known: dict[str, dict[str, list[np.ndarray]]] = field(default_factory=dict)

    @classmethod
    def started(cls, gradio: str) -> Matrix:
        host = standin(gradio, "--extension", str(EXTENSION))
        webui = Webui(host.url)
        portrait = (load_picture(PORTRAIT).pixels[:256, 96:352] * 255 + 0.5).astype(np.uint8)
        small = np.asarray(cv2.resize(portrait, (192, 192), interpolation=cv2.INTER_AREA))
        webui.txt2img(**SIZE)
        draft = webui.txt2img(**SIZE)
        return cls(host, webui, draft, small, webui.get("/sdapi/v1/options"))

    def modes(self) -> dict[str, Callable[[dict[str, Any]], Result]]:
        mask = np.zeros_like(self.portrait)
        mask[60:120, 50:130] = 255
        inpaint = {**SIZE, "mask": encoded(mask), "inpainting_fill": 1, "inpaint_full_res": False, "mask_blur": 0}
        return {
            "txt2img": lambda told: self.webui.txt2img(told, **SIZE),
            "img2img": lambda told: self.webui.img2img(self.portrait, told, **SIZE, denoising_strength=0.2),
            "inpaint": lambda told: self.webui.img2img(self.portrait, told, **inpaint, denoising_strength=0.2),
            "batch": lambda told: self.webui.img2img(self.portrait, told, **SIZE, denoising_strength=0.2, batch_size=2),
        }

    def plan(self, call: int, fault: str) -> None:
        (self.host.data / "fault.json").write_text(json.dumps({"call": call, "fault": fault}))

    def calls(self, mode: str) -> list[str]:
        """The names of the calls of an undisturbed run. Its pictures, and those of its parts, are remembered."""
        (self.host.data / "calls.json").unlink(missing_ok=True)
        self.plan(-1, "none")
        generate = self.modes()[mode]
        whole = generate(recipe(**STAGES))
        names: list[str] = json.loads((self.host.data / "calls.json").read_text())
        assert "Finisher error" not in whole.told, whole.told
        self.known[mode] = {"as without the fault": list(whole.pictures)}
        for stage in STAGES:
            later = list(STAGES)[list(STAGES).index(stage) :]
            for became, left_out in ((f"{stage} left out", [stage]), (f"as before {stage}", later)):
                done = generate(recipe(**{**STAGES, **off(*left_out)}))
                self.known[mode].setdefault(became, list(done.pictures))
        return names

    def outcome(self, mode: str, call: int, name: str, fault: str) -> Outcome:
        """Lets the call fail, and looks at everything afterwards."""
        before = self._files()
        self.plan(call, fault)
        try:
            done = self.modes()[mode](recipe(**STAGES))
        except urllib.error.HTTPError as error:
            return Outcome(mode, call, name, fault, "no answer", f"{error.code}: {error.read()[:200]!r}")
        became, wrong = self._became(mode, done)
        wrong += self._host_is_changed(before)
        return Outcome(mode, call, name, fault, became, "; ".join(wrong))

    def _became(self, mode: str, done: Result) -> tuple[str, list[str]]:
        known = self.known[mode]
        whole = known["as without the fault"]
        if len(done.pictures) != len(whole):
            return "lost", [f"{len(done.pictures)} pictures for {len(whole)}"]
        told = {key: value for text in done.infotexts for key, value in _told(text)}
        wrong = [f"not plain: {note!r}" for text in told.values() for note in text.split("; ") if not _plain(note)]
        found = [_which(number, picture, known) for number, picture in enumerate(done.pictures)]
        for number, name in enumerate(found):
            picture = done.pictures[number]
            if not name:
                found[number] = "partly done"
                alike = [item[number] for item in known.values() if item[number].shape == picture.shape]
                off_by = min((float(np.abs(item.astype(float) - picture).mean()) for item in alike), default=999.0)
                if off_by > ALIKE:
                    wrong.append(f"picture {number + 1} is {off_by:.1f} levels off, size {picture.shape}")
        left_out = [stage for stage in STAGES if stage not in str(done.told.get("Finisher stages", ""))]
        # What the user skipped is only missing from the list of stages.
        skipped = set(found) <= {f"{stage} left out" for stage in left_out}
        if set(found) != {"as without the fault"} and not told and not skipped:
            wrong.append("changed without a word")
        return ", ".join(dict.fromkeys(found)), wrong

    def _host_is_changed(self, before: set[Path]) -> list[str]:
        (self.host.data / "fault.json").unlink()
        wrong = []
        state = self.webui.get("/sdapi/v1/progress?skip_current_image=true")["state"]
        if state["job"] or state["job_count"]:
            wrong.append(f"the host is busy: {state}")
        options = self.webui.get("/sdapi/v1/options")
        changed = {key: value for key, value in options.items() if self.settings.get(key, value) != value}
        if changed:
            wrong.append(f"settings changed: {changed}")
        left = self._files() - before
        if left:
            wrong.append(f"files left: {sorted(map(str, left))}")
        again = self.webui.txt2img(**SIZE)
        if not np.array_equal(again.picture, self.draft.picture) or again.infotexts != self.draft.infotexts:
            wrong.append("the next generation is another one")
        return wrong

    def _files(self) -> set[Path]:
        named = ("log.txt", "params.txt", "fault.json", "calls.json")
        here = {path for path in self.host.data.rglob("*") if "outputs" not in path.parts and path.name not in named}
        return here | set(self.host.data.rglob("outputs/**/*.tmp*"))


def _which(number: int, picture: np.ndarray, known: dict[str, list[np.ndarray]]) -> str:
    return next((name for name, pictures in known.items() if np.array_equal(pictures[number], picture)), "")


def _told(infotext: str) -> Iterator[tuple[str, str]]:
    for key, value in pairs_of(infotext):
        if key in ("Finisher error", "Finisher notes", "Finisher refused", "Finisher interrupted"):
            yield key, str(value)


def _plain(text: str) -> bool:
    return len(text) <= _PLAIN_AT_MOST and not any(
        word in text for word in ("Traceback", " at 0x", 'File "', "KeyError")
    )


def outcomes(matrix: Matrix, modes: Sequence[str], faults: Sequence[str], each_kind_once: bool) -> Iterator[Outcome]:
    """One after another; with `each_kind_once` only the last call of each name is let fail."""
    for mode in modes:
        names = matrix.calls(mode)
        numbers = (
            sorted({name: number for number, name in enumerate(names)}.values())
            if each_kind_once
            else range(len(names))
        )
        for fault in faults:
            for number in numbers:
                yield matrix.outcome(mode, number, names[number], fault)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modes", nargs="*", default=["txt2img", "img2img", "inpaint", "batch"])
    parser.add_argument("--faults", nargs="*", default=list(FAULTS))
    parser.add_argument("--once", action="store_true", help="each kind of call once")
    options = parser.parse_args()
    matrix = Matrix.started(GRADIOS[-1])
    counts: Counter[tuple[str, str]] = Counter()
    bad = 0
    for item in outcomes(matrix, options.modes, options.faults, options.once):
        counts[item.fault, item.became] += 1
        if item.wrong:
            bad += 1
            sys.stdout.write(
                f"{item.mode}, call {item.call} ({item.name}), {item.fault}: {item.became}: {item.wrong}\n"
            )
            sys.stdout.flush()
    for (fault, became), count in sorted(counts.items()):
        sys.stdout.write(f"{fault:20}{became:60}{count:5}\n")
    sys.stdout.write(f"{sum(counts.values())} faults, {bad} not as they should be\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
