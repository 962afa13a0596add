"""What work on a given picture needs of the host, where no generation is going on: routes and the regions panel."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from modules import shared
from modules.processing import StableDiffusionProcessingImg2Img

from lib_finisher.hosts.webui import probe
from lib_finisher.hosts.webui.infotext import style_texts, told_by
from lib_finisher.imaging.files import LoadedPicture

_Answer = TypeVar("_Answer")


def outer() -> Any:
    """A processing object that generates nothing: stages take from it what neither they nor the base say."""
    sampler, scheduler = first_sampler()
    wanted = {
        "sampler_name": sampler,
        "scheduler": scheduler or None,
        "outpath_samples": shared.opts.outdir_samples or shared.opts.outdir_img2img_samples,
        "outpath_grids": shared.opts.outdir_grids or shared.opts.outdir_img2img_grids,
        "do_not_save_samples": True,
        "do_not_save_grid": True,
    }
    made = StableDiffusionProcessingImg2Img(**probe.accepted(StableDiffusionProcessingImg2Img, wanted))
    made.is_api = True
    return made


def first_sampler() -> tuple[str, str]:
    """The sampler and the scheduler where nobody names any."""
    return probe.samplers()[0], next(iter(probe.schedulers()), "")


def told_fields(picture: LoadedPicture) -> tuple[dict[str, Any], Mapping[str, str]]:
    """(the fields of `Base` that a picture tells, styles applied; by field what was not taken as it stands)."""
    own = told_by(picture.infotext, picture.side)
    return styled(own.fields, list(own.styles)), own.notes


def styled(fields: dict[str, Any], styles: list[str]) -> dict[str, Any]:
    """Fields of `Base` with styles applied to the prompts."""
    if not styles:
        return fields
    known = shared.prompt_styles
    prompts = {
        "prompt": known.apply_styles_to_prompt(fields.get("prompt", ""), styles),
        "negative_prompt": known.apply_negative_styles_to_prompt(fields.get("negative_prompt", ""), styles),
    }
    return {**fields, **prompts, **style_texts(styles)}


def on_the_hosts_thread(act: Callable[..., _Answer], *arguments: Any) -> _Answer:
    """Call where the host generates: the Forge family does that in one thread of its own for whoever presses a button.

    `act` must not raise: there an exception only shows in the log.
    """
    if not probe.is_forge_family() or importlib.util.find_spec("modules_forge.main_thread") is None:
        return act(*arguments)
    from modules_forge import main_thread

    return main_thread.run_and_wait_result(act, *arguments)
