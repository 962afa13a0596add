"""LoRA and embeddings that do not fit the checkpoint a stage swaps to: read from their headers, told as notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lib_finisher.family import Family
from lib_finisher.hosts.port import Host, HostError, ModelFacts, NetworkFacts
from lib_finisher.redraw.patch import Request

SDXL_REFINER = "sdxl_refiner"
LORA, EMBEDDING = "LoRA", "embedding"

# Width of the text input -> family: of a UNet's cross attention, and of an embedding's vectors.
_TEXT_WIDTHS = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: SDXL_REFINER}
# What the trainers write as `modelspec.architecture` and `ss_base_model_version`, by its beginning; the longest counts.
_TOLD = {
    "stable-diffusion-v1": "sd1", "stable-diffusion-v2": "sd2", "stable-diffusion-xl-v1-refiner": SDXL_REFINER,
    "stable-diffusion-xl": "sdxl", "stable-diffusion-3": "sd3", "flux-1": "flux", "flux.1": "flux", "flux-2": "flux2",
    "lumina-2": "lumina2", "qwen-image": "qwen_image", "chroma": "chroma",
    "sd_v1": "sd1", "sd_1": "sd1", "sd_v2": "sd2", "sdxl": "sdxl", "sd3": "sd3", "flux1": "flux",
    "lumina2": "lumina2",
}  # fmt: skip
# Families that take each other's networks at least in part.
_KIN = ({"flux", "chroma"}, {"sdxl", "sdxl_flux2"}, {"qwen_image", "qwen_image_21"})

_BLOCKS = re.compile(r"(?:input_blocks|middle_block|output_blocks|down_blocks|mid_block|up_blocks)[._]")
# Looked for behind the first of the blocks: one expression for both would try every block anew.
_CROSS_ATTENTION = re.compile(
    r"attn2[._](?:processor[._])?to_[kv](?:_lora)?[._](?:lora[._])?(?:lora_down|lora_A|down|hada_w1_b)(?:\.\w+)?$"
)
_FLUX = re.compile(r"(?:^|[._])(?:double_blocks|single_blocks|single_transformer_blocks)[._]\d+")
_SD3 = re.compile(r"(?:^|[._])joint_blocks[._]\d+")
_FLUX_WIDTH = 3072
_VECTORS = ("clip_g", "clip_l", "emb_params")


def lora_family(header: Mapping[str, Any]) -> str:
    """The family's id of a LoRA (or LoHa) by its file's header, or "" where nothing in it tells.

    Shapes go before what the trainer wrote: the width of the text input cannot lie.
    """
    for key, shape in _shapes(header):
        blocks = _BLOCKS.search(key)
        if blocks and _CROSS_ATTENTION.search(key, blocks.end()) and len(shape) >= 2:
            return _TEXT_WIDTHS.get(shape[1], "")
    told = _told(header.get("__metadata__"))
    if told:
        return told
    for key, shape in _shapes(header):
        if "lora_te2_" in key:
            return Family.SDXL.value
        if _SD3.search(key):
            return Family.SD3.value
        # FLUX.2 has the same names and is wider.
        if _FLUX.search(key) and shape[1:] == (_FLUX_WIDTH,):
            return Family.FLUX.value
    return ""


def embedding_family(header: Mapping[str, Any]) -> str:
    """The family's id of an embedding by its file's header, or ""."""
    found = {key: shape for key, shape in _shapes(header) if shape}
    if {"clip_g", "clip_l"} <= set(found):
        return Family.SDXL.value
    named = [found[key] for key in _VECTORS if key in found]
    shapes = named or (list(found.values()) if len(found) == 1 else [])
    return vector_family(shapes[0][-1]) if shapes else ""


def vector_family(width: int) -> str:
    """The family's id of an embedding whose vectors have that many numbers, or ""."""
    return _TEXT_WIDTHS.get(width, "")


def misfits(requests: Sequence[Request], host: Host) -> list[list[str]]:
    """For each request, what its prompts name that was made for another family than the checkpoint it is sampled with.

    Only where a stage has a checkpoint of its own: what the base does with its networks is the user's affair.
    """
    seen: dict[tuple[str, str], list[str]] = {}
    return [_of_request(request, host, seen) for request in requests]


def _of_request(request: Request, host: Host, seen: dict[tuple[str, str], list[str]]) -> list[str]:
    checkpoint, notes = request.sampling.checkpoint, dict[str, None]()
    if not checkpoint:
        return []
    for patch in request.patches:
        for prompt in (patch.prompt, patch.negative_prompt):
            key = checkpoint, prompt
            if key not in seen:
                seen[key] = _of_prompt(checkpoint, prompt, host)
            notes.update(dict.fromkeys(seen[key]))
    return list(notes)


def _of_prompt(checkpoint: str, prompt: str, host: Host) -> list[str]:
    try:
        facts, found = host.model(checkpoint), host.networks(prompt)
    except HostError:
        # The redraw itself will say that it is not there.
        return []
    own = _kind_of(facts)
    return [_note(item, facts, own) for item in found if not _fit(item.family, own)]


def _fit(one: str, other: str) -> bool:
    unknown = {"", Family.UNKNOWN.value}
    return one == other or bool({one, other} & unknown) or any({one, other} <= kin for kin in _KIN)


def _note(item: NetworkFacts, facts: ModelFacts, own: str) -> str:
    done = "reads its name as plain words" if item.kind == EMBEDDING else "applies what happens to match"
    return (
        f"the {item.kind} {item.name} is for {_label(item.family)} and does not fit {facts.name} ({_label(own)}): "
        f"the host {done}; leave it out of this stage's prompt"
    )


def _kind_of(facts: ModelFacts) -> str:
    return SDXL_REFINER if facts.family == Family.SDXL.value and facts.variant == "refiner" else facts.family


def _label(family: str) -> str:
    if family == SDXL_REFINER:
        return "the SDXL refiner"
    return Family(family).label if family in {item.value for item in Family} else family


def _told(metadata: Any) -> str:
    if not isinstance(metadata, Mapping):
        return ""
    for key in ("modelspec.architecture", "ss_base_model_version"):
        text = str(metadata.get(key, "")).lower()
        known = [start for start in _TOLD if text.startswith(start)]
        if known:
            return _TOLD[max(known, key=len)]
    return Family.SD2.value if str(metadata.get("ss_v2", "")) == "True" else ""


def _shapes(header: Mapping[str, Any]) -> Iterable[tuple[str, tuple[int, ...]]]:
    for key, entry in header.items():
        shape = entry.get("shape") if isinstance(entry, Mapping) else None
        if isinstance(shape, (list, tuple)) and all(type(item) is int for item in shape):
            yield key, tuple(shape)
