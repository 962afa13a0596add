"""Which family of picture model a checkpoint file belongs to, from its header alone (never a tensor).

``detect(path)`` reads the JSON header of a ``.safetensors`` file (8 length bytes and the JSON) or the
tables at the front of a ``.gguf`` file, and matches tensor *names* and *shapes* against ``RULES``, in
order; the first row that holds wins.  Shapes are torch order, ``(out, in, ...)``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

from lib_finisher.family import Family
from lib_finisher.family_rules import (
    CONV_IN,
    DISTILLED,
    FLUX_INPUTS,
    INPUTS,
    NAMES,
    PARTS,
    PREFIXES,
    RULES,
    SIDES,
    UNETS,
    Rule,
)
from lib_finisher.model_header import HeaderError, read_header

Shape = tuple[int, ...]

_ADAPTER = re.compile(
    r"^lora_(?:unet|te\d?|transformer)_|\.(?:lora_(?:up|down|A|B)(?:\.\w+)?\.weight|lora\.(?:up|down)\.weight"
    r"|lokr_w[12]\w*|hada_w[12]_[ab]|diff(?:_b)?)$"
)


@dataclass(frozen=True)
class Detected:
    """What the header says.

    ``variants`` holds all that apply, structural ones first, and ``variant`` the first of them or "".
    ``prediction`` is "epsilon", "v", "flow", or None where the header is silent (SD 2 keeps it in its
    config file).  ``source_keys`` are the names that decided; ``native_side`` is this file's own.
    """

    family: Family
    variant: str = ""
    prediction: str | None = None
    inpainting: bool = False
    reason: str = ""
    source_keys: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    ztsnr: bool = False
    native_side: int = Family.UNKNOWN.native_side

    @property
    def native_pixels(self) -> int:
        """The area that the model was trained at, in pixels."""
        return self.native_side * self.native_side

    @property
    def distilled(self) -> bool:
        """Whether it is a few-step model, by its keys or its name."""
        return not DISTILLED.isdisjoint(self.variants)

    @property
    def label(self) -> str:
        """Family and variants, for people."""
        return self.family.label + (f" ({', '.join(self.variants)})" if self.variants else "")


class _View:
    """The key names below one prefix, their usable shapes (None where packed), and every dotted stem."""

    def __init__(self, header: Mapping[str, Any], prefix: str) -> None:
        self.shapes: dict[str, Shape | None] = {}
        self.stems: set[str] = set()
        for key, entry in header.items():
            if isinstance(key, str) and key.startswith(prefix) and key != "__metadata__":
                packed = f"{key}.quant_map" in header or f"{key}.absmax" in header
                bare = key[len(prefix) :]
                self.shapes[bare] = None if packed else _shape(entry)
                at = bare.rfind(".")
                while at > 0 and (stem := bare[: at + 1]) not in self.stems:
                    self.stems.add(stem)
                    at = bare.rfind(".", 0, at)

    def find(self, pattern: str) -> str | None:
        return next((p for p in pattern.split("|") if p in self.shapes or p in self.stems), None)

    def size(self, pattern: str, axis: int | None) -> int | None:
        for key in pattern.split("|"):
            shape = self.shapes.get(key)
            if shape and (axis is None or -len(shape) <= axis < len(shape)):
                return len(shape) if axis is None else shape[axis]
        return None

    def match(self, rule: Rule) -> tuple[str, ...] | None:
        """The keys that satisfy the row, or None."""
        found = tuple(key for key in map(self.find, rule.needs) if key)
        if len(found) < len(rule.needs) or any(self.find(p) for p in rule.absent):
            return None
        sizes = [(dim, self.size(dim.key, dim.axis)) for dim in rule.dims]
        return found if all(n in dim.values or (n is None and not dim.sure) for dim, n in sizes) else None


def _shape(entry: object) -> Shape | None:
    """The torch shape of a header entry, or None when it is malformed or packed (bytes, GPTQ words)."""
    if not isinstance(entry, Mapping) or entry.get("dtype") in ("U8", "I32"):
        return None
    dims = entry.get("shape")
    good = isinstance(dims, (list, tuple)) and all(type(d) is int and d >= 0 for d in dims)
    return tuple(dims) if good and dims is not None else None


def detect(path: str | os.PathLike[str]) -> Detected:
    """The family of the model file at ``path``; raises ``HeaderError`` when its header is unreadable."""
    return detect_header(read_header(path), os.path.basename(os.fspath(path)))


def detect_header(header: Mapping[str, Any], name: str = "") -> Detected:
    """The family of a header, {key: {"dtype", "shape", ...}, "__metadata__": {...}}, of a file ``name``."""
    if not isinstance(header, Mapping):
        raise HeaderError(f"{name or 'header'}: not a table of tensors. Pass what read_header returned.")
    lora = next((k for k in header if isinstance(k, str) and _ADAPTER.search(k)), None)
    if lora is not None:
        return Detected(Family.UNKNOWN, reason="a LoRA or other adapter, not a checkpoint", source_keys=(lora,))
    view = _View({}, "")
    for prefix in PREFIXES:
        view = _View(header, prefix)
        for rule in RULES if view.shapes else ():
            if (keys := view.match(rule)) is not None:
                return _describe(rule, view, tuple(prefix + k for k in keys), header, name)
    for rule in PARTS if not view.find(PREFIXES[0]) else ():
        if (keys := view.match(rule)) is not None:
            return Detected(Family.UNKNOWN, reason=rule.why, source_keys=keys)
    return Detected(Family.UNKNOWN, reason="no row knows these tensor names")


def _describe(rule: Rule, view: _View, keys: tuple[str, ...], header: Mapping[str, Any], name: str) -> Detected:
    """Fill in what the matched row leaves open: extra inputs, words of the name, prediction, size."""
    family, raw = rule.family, header.get("__metadata__")
    if family is Family.UNKNOWN:
        return Detected(Family.UNKNOWN, reason=rule.why, source_keys=keys)
    why = re.sub(r" \[[a-z, ]+\]$", "", rule.why)
    meta = {k: v for k, v in raw.items() if isinstance(v, str)} if isinstance(raw, Mapping) else {}
    extra = INPUTS.get(view.size(CONV_IN, 1) or 0, "") if family in UNETS else ""
    if family is Family.FLUX:
        extra = FLUX_INPUTS.get(view.size("img_in.weight|x_embedder.weight", 1) or 0, "")
    mark = "playground" if family is Family.SDXL and "edm_mean" in header else ""
    titles = (os.path.splitext(name)[0], meta.get("modelspec.title", ""), meta.get("general.name", ""))
    words = " | ".join(map(_words, titles))
    fitting = [(v, rx) for v, rx, only in NAMES if only is None or family in only]
    named = [v for v, rx in fitting if re.search(rf"(?<!\S){rx}(?!\S)", words)]
    variants = tuple(dict.fromkeys(v for v in (rule.variant, extra, mark, *named) if v))
    prediction = family.prediction
    if prediction is None:
        said = _words(meta.get("modelspec.prediction_type", "")).split(" ")[0]
        marked = "v_pred" in header or "edm_vpred.sigma_max" in header
        prediction = "v" if marked else said if said in ("epsilon", "v") else None
    side = next((SIDES[family, v] for v in variants if (family, v) in SIDES), family.native_side)
    if family is Family.PIXART:  # pos_embed [1, n, 1152]: one position for each 16 x 16 pixels
        side = isqrt(view.size("pos_embed", 1) or 0) * 16 or side
    size = re.fullmatch(r"(\d{3,4})x(\d{3,4})", meta.get("modelspec.resolution", ""))
    if size and 256 <= (stated := isqrt(int(size[1]) * int(size[2]))) <= 4096:
        side = stated
    first = variants[0] if variants else ""
    inpainting, ztsnr = extra == "inpainting", "ztsnr" in header
    return Detected(family, first, prediction, inpainting, why, keys, variants, ztsnr, side)


def _words(text: str) -> str:
    """``text`` as lower-case words: split at punctuation, camel humps and digits."""
    return " ".join(re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", text)).lower()
