"""What kind of its family a checkpoint is: pony, illustrious, lightning, inpainting, v-prediction and the like.

The header decides where it can (input channels, marker tensors, stated prediction); otherwise the words of the file's
name and of the titles in the header's metadata do. Whole words only: "ponytail" and "hyperrealism" say nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lib_finisher.family import Family
from lib_finisher.family_detection import Detected, detect_header
from lib_finisher.family_rules import DISTILLED, NAMES
from lib_finisher.model_header import HeaderError, read_header

FEW_STEP, V_PREDICTION = "few-step", "v-prediction"

_XL = frozenset({"sdxl", "sdxl_flux2"})
_UNETS = frozenset({"sd1", "sd2", "sdxl", "sdxl_flux2"})
# Besides those of `family_rules.NAMES`; the families they can apply to, None for all.
_NAMES: tuple[tuple[str, str, frozenset[str] | None], ...] = (
    ("pony", r"pdxl|pny|(?:pd|pony) ?v ?[67](?: ?xl)?", _XL | {"auraflow"}),
    ("illustrious", r"illustrious ?xl|illust|ilxl|xlil|il xl|xl il(?:lu)?", _XL),
    ("noobai", r"noob(?: ?xl)?|nai ?xl|xl ?nai|xlnaixl", _XL),
    ("animagine", r"animagine ?xl", _XL),
    ("hyper", r"hyper (?:vae|inpaint(?:ing)?|dmd)", None),
    ("dmd", r"dmd(?: ?2)?", None),
    # What follows makes an ordinary word of it: flash photography, rapid fire.
    ("flash", r"flash(?! (?:photo\w*|lights?|lit|back|backs|bulb|gun|gordon|attn|attention)(?!\S))", None),
    ("rapid", r"rapid(?! (?:fire|growth|river))", None),
    ("tcd", r"tcd", None),
    ("pcm", r"pcm", None),
    (V_PREDICTION, r"v ?pred(?:iction)?", _UNETS),
    # Not the epoch before a training's step count: "epoch8-step1200".
    (FEW_STEP, r"(?:[1-9]|1[0-2]) ?(?:steps?|stp)(?! \d)|insta ?flow|nitro ?(?:sd|fusion|\d)", None),
)
# What tensors settle, so a name counts only where they cannot be read.
_UNREAD: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("inpainting", r"inpaint(?:ing)?", _UNETS | {"flux"}),
    ("refiner", r"refiner", _XL),
    ("schnell", r"schnell", frozenset({"flux"})),
)
_TITLES = ("modelspec.title", "general.name", "ss_sd_model_name", "ss_output_name")
_FEW = DISTILLED | {"dmd", "flash", "rapid", "tcd", "pcm"}


@dataclass(frozen=True)
class Seen:
    """A checkpoint file as its header and its name show it. `family` is "" where the header says nothing."""

    family: str
    variants: tuple[str, ...]
    native_side: int
    reason: str


def look_at(path: str | os.PathLike[str]) -> Seen:
    """Family and variants of a model file, in milliseconds: no tensor is read. Never raises for a bad file."""
    name = os.path.basename(os.fspath(path))
    try:
        header = read_header(path)
        found = detect_header(header, name)
    except HeaderError as error:
        return Seen("", variants_in(name), Family.UNKNOWN.native_side, str(error))
    family = "" if found.family is Family.UNKNOWN else found.family.value
    return Seen(family, variants_of(found, header, name), found.native_side, found.reason)


def variants_of(found: Detected, header: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """All variants that apply: those of the structure first, then those of names, what makes it quick last."""
    if found.family is Family.UNKNOWN:
        return ()
    raw = header.get("__metadata__")
    titles = [raw[key] for key in _TITLES if isinstance(raw.get(key), str)] if isinstance(raw, Mapping) else []
    named = _named([os.path.splitext(name)[0], *titles], found.family.value)
    if found.prediction == "v" and found.family.prediction is None:
        named.append(V_PREDICTION)
    elif found.prediction == "epsilon":
        named = [item for item in named if item != V_PREDICTION]
    return _ordered([*found.variants, *named])


def variants_in(name: str, family: str = "") -> tuple[str, ...]:
    """What the name of a file alone tells, where its header cannot be read; `family` is "" where it is unknown."""
    stem = os.path.splitext(os.path.basename(name.replace("\\", "/")))[0]
    words = words_of(stem)
    unread = [item for item, rule, families in _UNREAD if (not family or family in families) and _has(rule, words)]
    return _ordered([*unread, *_named([stem], family)])


def words_of(text: str) -> str:
    """The text as lower-case words: split at punctuation, humps of camel case, and digits."""
    return " ".join(re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", text)).lower()


def _named(titles: list[str], family: str) -> list[str]:
    words = " | ".join(map(words_of, titles))
    # "base" and "edit" are ordinary words where the family is not known.
    known = [(item, rule, _ids(only)) for item, rule, only in NAMES if family or only is None or Family.SDXL in only]
    return [
        item
        for item, rule, only in (*known, *_NAMES)
        if (only is None or not family or family in only) and _has(rule, words)
    ]


def _ids(families: set[Family] | None) -> frozenset[str] | None:
    return None if families is None else frozenset(item.value for item in families)


def _has(rule: str, words: str) -> bool:
    return re.search(rf"(?<!\S)(?:{rule})(?!\S)", words) is not None


def _ordered(variants: list[str]) -> tuple[str, ...]:
    if not _FEW.isdisjoint(variants):
        variants.append(FEW_STEP)
    last = [item for item in variants if item in _FEW or item == FEW_STEP]
    return tuple(dict.fromkeys([*(item for item in variants if item not in last), *last]))
