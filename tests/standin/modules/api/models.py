"""What requests and answers hold."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, Optional

from pydantic import BaseModel, create_model

from modules.processing import StableDiffusionProcessingImg2Img, StableDiffusionProcessingTxt2Img

_NOT_ALLOWED = frozenset({
    "sd_model", "outpath_samples", "outpath_grids", "sampler_index", "extra_generation_params", "overlay_images",
    "do_not_reload_embeddings", "seed_enable_extras", "prompt_for_display", "ddim_discretize",
})  # fmt: skip
_COMMON = {
    "sampler_index": (str, "Euler"), "script_name": (str, None), "script_args": (list, []), "send_images": (bool, True),
    "save_images": (bool, False), "alwayson_scripts": (dict, {}), "force_task_id": (str, None), "infotext": (str, None),
}  # fmt: skip
_IMG2IMG = {
    "init_images": (list, None), "denoising_strength": (float, 0.75), "mask": (str, None),
    "include_init_images": (bool, False),
}  # fmt: skip
_PLAIN = (int, float, bool, str, list, dict)


def _type(kind: Any) -> Any:
    """A field's type, as far as JSON has it; pictures come as text."""
    if typing.get_origin(kind) in (list, dict) or kind in _PLAIN:
        return kind
    return str if kind is object else Any


def _fields(cls, more):
    kinds = typing.get_type_hints(cls)
    found = {}
    for item in dataclasses.fields(cls):
        if item.init and item.name not in _NOT_ALLOWED:
            default = None if isinstance(item.default, property) else item.default
            found[item.name] = (_type(kinds[item.name]), default)
    # The host takes this default from the base class, whose signature it reads last.
    found["denoising_strength"] = (float, None)
    return {**found, **_COMMON, **more}


FIELDS = {
    "txt2img": _fields(StableDiffusionProcessingTxt2Img, {}),
    "img2img": _fields(StableDiffusionProcessingImg2Img, _IMG2IMG),
}


def _model(name, tab):
    # Every field may also be null.
    told = {key: (Optional[kind], default) for key, (kind, default) in FIELDS[tab].items()}  # noqa: UP045
    return create_model(name, **told)


StableDiffusionTxt2ImgProcessingAPI = _model("StableDiffusionProcessingTxt2Img", "txt2img")
StableDiffusionImg2ImgProcessingAPI = _model("StableDiffusionProcessingImg2Img", "img2img")


class GenerationResponse(BaseModel):
    images: list[str] = []
    parameters: dict = {}
    info: str = ""


class ScriptArg(BaseModel):
    label: Optional[str] = None  # noqa: UP045
    value: Optional[Any] = None  # noqa: UP045
    minimum: Optional[Any] = None  # noqa: UP045
    maximum: Optional[Any] = None  # noqa: UP045
    step: Optional[Any] = None  # noqa: UP045
    choices: Optional[list[str]] = None  # noqa: UP045


class ScriptInfo(BaseModel):
    name: Optional[str] = None  # noqa: UP045
    is_alwayson: Optional[bool] = None  # noqa: UP045
    is_img2img: Optional[bool] = None  # noqa: UP045
    args: list[ScriptArg] = []
