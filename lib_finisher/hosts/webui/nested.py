"""One nested img2img of the host over a batch of crops, each with its own prompt, seed, noise and mask."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from modules import scripts, shared
from modules.processing import StableDiffusionProcessingImg2Img, process_images
from PIL import Image

from lib_finisher.hosts.port import Array, Element, HostError, Interrupted, OutOfMemory, Sampling, Skipped, Watch
from lib_finisher.hosts.webui import loading, probe
from lib_finisher.hosts.webui.blend import Blend, blending
from lib_finisher.hosts.webui.guard import undisturbed
from lib_finisher.hosts.webui.memory import is_out_of_memory
from lib_finisher.hosts.webui.noise import FieldBrownian, FieldNoise
from lib_finisher.hosts.webui.steps import Steps
from lib_finisher.imaging.arrays import to_uint8
from lib_finisher.infotext.seeds import SEEDS

logger = logging.getLogger(__name__)

_MARKERS = ("_ad_disabled", "_ad_inner", "_finisher_inner")
# Stop-after-current may be pressed just while a nested call begins, which then makes no picture at all.
_TRIES = 3


@dataclass(frozen=True, eq=False)
class Order:
    """What a nested call is to redraw, and for which picture's processing object."""

    elements: Sequence[Element]
    sampling: Sampling
    options: Mapping[str, Any]
    outer: Any
    watch: Watch
    kept_scripts: Sequence[str] = ()


class Pictures(scripts.ScriptRunner):
    """The nested call's scripts: those of the outer one that are to stay active, none otherwise.

    It takes the decoded pictures before the host rounds them down to 8 bits.
    """

    def __init__(self, outer: Any, kept: Sequence[str]) -> None:
        super().__init__()
        self.found: list[Array] = []
        self.alwayson_scripts = scripts_to_keep(outer, kept)
        self.scripts = list(self.alwayson_scripts)

    def postprocess_batch(self, p: Any, images: torch.Tensor, **kwargs: Any) -> None:
        """Called with floats 0..1, shape (N, 3, height, width)."""
        super().postprocess_batch(p, images, **kwargs)
        self.found = [np.ascontiguousarray(np.moveaxis(item.cpu().float().numpy(), 0, -1)) for item in images]


def scripts_to_keep(outer: Any, names: Sequence[str]) -> list[Any]:
    """Those of the outer run's always-on scripts that stay active inside."""
    running = getattr(outer.scripts, "alwayson_scripts", None) or []
    return [item for item in running if Path(item.filename).stem.lower() in names]


class NestedImg2Img(StableDiffusionProcessingImg2Img):
    """The host's img2img with the noise and the masks of an order."""

    order: Order
    blend: Blend | None
    hold_again: Callable[[], None]
    init_latent: torch.Tensor
    height: int
    width: int
    # The host loads the model before it calls `init`.
    model_is_loaded = False

    def init(self, all_prompts: list[str], all_seeds: list[int], all_subseeds: list[int]) -> None:
        """The host encodes the crops; the masks come after, so that it does not round them."""
        self.model_is_loaded = True
        # The VAE draws from the global generator.
        torch.manual_seed(int(all_seeds[0]))
        super().init(all_prompts, all_seeds, all_subseeds)
        if self.order.sampling.latent_upscale:
            self._enlarge_latents()
        self.blend = None
        masks = [element.mask for element in self.order.elements]
        if any(mask is not None for mask in masks):
            whole = _mask_tensor(masks, (self.height, self.width), self.init_latent.device)
            cells = torch.nn.functional.interpolate(whole, size=self.init_latent.shape[-2:], mode="area")
            if self.init_latent.ndim == 5:
                cells = cells.unsqueeze(2)
            self.blend = Blend(self.init_latent.clone(), cells, self._differential_steps())
            if self.is_using_inpainting_conditioning:
                # Without an image mask the host tells an inpainting model to redraw everything.
                picture = _picture_tensor(self.order.elements).to(self.init_latent)
                self.image_conditioning = self.inpainting_image_conditioning(
                    picture * 2 - 1, self.init_latent, image_mask=whole
                )
        # The host forgets Skip when its loop begins, just after this; encoding may have taken a while.
        _check_flags()

    def _enlarge_latents(self) -> None:
        """What the host's hires fix does with its latent upscale modes."""
        latent = self.init_latent
        if latent.ndim != 4 or self.is_using_inpainting_conditioning:
            raise HostError("Latent upscaling does not go with this checkpoint; choose another upscaler.")
        height, width = self.order.elements[0].canvas or (self.height, self.width)
        cell = self.height // latent.shape[-2]
        how = shared.latent_upscale_modes[self.order.sampling.latent_upscale]
        self.init_latent = torch.nn.functional.interpolate(
            latent, size=(height // cell, width // cell), mode=how["mode"], antialias=how["antialias"]
        )
        self.height, self.width = height, width

    def _differential_steps(self) -> Steps | None:
        """What tells a differential mask how far sampling is. None for a soft mask, and for samplers over timesteps:
        these begin with more noise than they take off, and what joins in late keeps it."""
        if not (self.order.sampling.differential and probe.works_on_sigmas(self.sampler)):
            return None
        steps, host_sigmas = Steps(), self.sampler.get_sigmas

        def get_sigmas(p: Any, number: int) -> torch.Tensor:
            sigmas: torch.Tensor = host_sigmas(p, number)
            steps.begin(sigmas.tolist())
            return sigmas

        # The sampler was made for this call alone, so there is nothing to put back.
        self.sampler.get_sigmas = get_sigmas
        return steps

    def sample(self, **arguments: Any) -> torch.Tensor:
        """The host's sampling, with the random sources replaced and the steps told."""
        self.hold_again()
        latent = self.init_latent
        noise = FieldNoise([item.noise for item in self.order.elements], latent, self.height // latent.shape[-2])
        self.rng = noise

        def create_noise_sampler(x: torch.Tensor, sigmas: torch.Tensor, p: Any) -> FieldBrownian:
            return FieldBrownian(noise, float(sigmas[sigmas > 0].min()), float(sigmas.max()))

        host_callback = self.sampler.callback_state

        def callback_state(told: Any) -> None:
            host_callback(told)
            number = int(told["i"]) + 1
            self.order.watch.step(number, max(number, int(shared.state.sampling_steps)))

        # The sampler was made for this call alone, so there is nothing to put back.
        self.sampler.create_noise_sampler = create_noise_sampler
        self.sampler.callback_state = callback_state
        torch.manual_seed(int(self.all_seeds[0]))
        with blending(self.blend):
            samples = super().sample(**arguments)
        return samples if self.blend is None else self.blend.finish(samples)


def redraw_together(order: Order) -> tuple[list[Array], list[tuple[str, str]]]:
    """The crops of an order, redrawn, and the (prompt, negative prompt) that each was redrawn with.

    Raises what `Host.redraw` raises, and NotLoaded where the order's model does not load; the user's is back then.
    """
    try:
        return _redrawn(order)
    except _LoadFailed as error:
        first = loading.first_of(error.__cause__)
        short_of_memory = first is not None and is_out_of_memory(first)
        problem = loading.problem(order.options, first, short_of_memory)
        logger.warning("%s", problem, exc_info=error.__cause__)
        del first
    # Here, where the error no longer holds what the failed load had taken.
    also = loading.load_again()
    if also:
        problem += f" The checkpoint chosen in the web UI did not load either ({also})."
    raise loading.NotLoaded(problem, short_of_memory)


class _LoadFailed(Exception):
    """The host failed before it had the model that a nested call asked for."""


def _redrawn(order: Order) -> tuple[list[Array], list[tuple[str, str]]]:
    try:
        for _ in range(_TRIES):
            with undisturbed(order.options) as hold_again:
                found, texts = _run(order, hold_again)
            if found:
                return _checked(found, order), texts
    except (HostError, Interrupted, Skipped, _LoadFailed):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"{type(error).__name__}: {error}") from error
        raise HostError(f"The host could not redraw this: {type(error).__name__}: {error}") from error
    raise HostError("The host made no picture. Its log may say why.")


def _run(order: Order, hold_again: Callable[[], None]) -> tuple[list[Array], list[tuple[str, str]]]:
    # The host clears Skip at the start of every call: read it first.
    _check_flags()
    p = _processing(order)
    p.hold_again = hold_again
    try:
        _process(p, order)
        # After either flag the host returns half-done pictures as if they were finished.
        _check_flags()
        return p.scripts.found, list(zip(p.all_prompts, p.all_negative_prompts))
    finally:
        # They hold each other, and with them all pictures, until Python looks for such rings, which is rarely.
        ring = getattr(p, "sampler", None), p
        p.close()
        for held in ring:
            getattr(held, "__dict__", {}).clear()


def _process(p: NestedImg2Img, order: Order) -> None:
    try:
        process_images(p)
    except Exception as error:
        if p.model_is_loaded or not loading.may_be_why(order.options):
            raise
        raise _LoadFailed from error


def _processing(order: Order) -> NestedImg2Img:
    elements, sampling = order.elements, order.sampling
    height, width = elements[0].pixels.shape[:2]
    wanted = {
        **probe.outer_fields(order.outer),
        **_extras(sampling),
        "init_images": [Image.fromarray(to_uint8(item.pixels)) for item in elements],
        **_texts_and_seeds(order),
        "subseed_strength": 0,
        # A crop's own edges do not meet; over those of the picture the act itself goes on, where the picture wraps.
        "tiling": False,
        "styles": [],
        "sampler_name": sampling.sampler or order.outer.sampler_name,
        "scheduler": sampling.scheduler or getattr(order.outer, "scheduler", None),
        "steps": sampling.steps,
        "cfg_scale": sampling.cfg_scale or order.outer.cfg_scale,
        "denoising_strength": sampling.denoising_strength,
        "width": width,
        "height": height,
        "batch_size": len(elements),
        "n_iter": 1,
        "resize_mode": 0,
        "restore_faces": False,
        "initial_noise_multiplier": sampling.noise_multiplier,
        "do_not_save_samples": True,
        "do_not_save_grid": True,
        "do_not_reload_embeddings": True,
        "extra_generation_params": {},
        "override_settings": dict(order.options),
    }
    p = NestedImg2Img(**probe.accepted(NestedImg2Img, wanted))
    p.order = order
    # An empty list keeps the host's colour correction away.
    p.color_corrections = []
    p.cached_c, p.cached_uc = [None, None], [None, None]
    p.is_api = True
    p.scripts = Pictures(order.outer, order.kept_scripts)
    # Their arguments lie where they do in the outer call.
    p.script_args = order.outer.script_args if p.scripts.alwayson_scripts else []
    for marker in _MARKERS:
        setattr(p, marker, True)
    return p


def _texts_and_seeds(order: Order) -> dict[str, Any]:
    """Lists, one entry an element. Scripts that stay active expect single values: such elements have one prompt, and
    the seed only serves their wildcards, the noise comes from the field."""
    elements = order.elements
    if scripts_to_keep(order.outer, order.kept_scripts):
        first = elements[0]
        seed = int(first.seed) % SEEDS
        return {"prompt": first.prompt, "negative_prompt": first.negative_prompt, "seed": seed, "subseed": seed}
    return {
        "prompt": [item.prompt for item in elements],
        "negative_prompt": [item.negative_prompt for item in elements],
        # Those of further patches follow the base's, which may be the last that there is.
        "seed": [int(item.seed) % SEEDS for item in elements],
        "subseed": [int(item.seed) % SEEDS for item in elements],
    }


def _extras(sampling: Sampling) -> dict[str, Any]:
    used = {"distilled_cfg_scale", "eta", "s_noise"} & set(sampling.extras())
    return {name: getattr(sampling, name) for name in used}


def _check_flags() -> None:
    if shared.state.interrupted:
        raise Interrupted
    if shared.state.skipped:
        raise Skipped


def _checked(found: list[Array], order: Order) -> list[Array]:
    wanted = [item.pixels.shape if item.canvas is None else (*item.canvas, 3) for item in order.elements]
    got = [item.shape for item in found]
    if wanted != got:
        raise HostError(f"The host returned pictures of other sizes ({got}) than asked for ({wanted}).")
    return found


def _mask_tensor(masks: Sequence[Array | None], size: tuple[int, int], device: Any) -> torch.Tensor:
    whole = [np.ones(size, np.float32) if mask is None else mask.astype(np.float32) for mask in masks]
    return torch.from_numpy(np.stack(whole)[:, None]).to(device)


def _picture_tensor(elements: Sequence[Element]) -> torch.Tensor:
    return torch.from_numpy(np.stack([np.moveaxis(item.pixels, -1, 0) for item in elements]).astype(np.float32))
