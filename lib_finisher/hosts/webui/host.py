"""The running web UI behind the port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from modules import devices, sd_samplers, shared
from modules.sd_samplers_common import setup_img2img_steps

from lib_finisher.hosts.port import (
    Array,
    Batch,
    BatchWatch,
    Capabilities,
    Element,
    HostError,
    ModelFacts,
    NetworkFacts,
    NoRoomForModel,
    Sampling,
    UpscalerFacts,
    Watch,
)
from lib_finisher.hosts.webui import models, networks, probe, restoration
from lib_finisher.hosts.webui.loading import NotLoaded
from lib_finisher.hosts.webui.nested import Order, redraw_together, scripts_to_keep
from lib_finisher.stages.diffusion import extra_networks

_SMALLEST_SIDE = 64
# Its step lengths follow from the error over the whole batch.
_BATCH_DEPENDENT = frozenset({"DPM adaptive"})
_GIB = 1 << 30
_Key = TypeVar("_Key")

# Settings of the host that change what a nested call gives.
_RELEVANT = (
    "CLIP_stop_at_last_layers", "sd_vae", "sd_vae_encode_method", "sd_vae_decode_method", "eta_ancestral",
    "eta_ddim", "img2img_fix_steps", "img2img_extra_noise", "token_merging_ratio", "token_merging_ratio_img2img",
    "emphasis", "s_noise", "s_churn", "s_min_uncond", "skip_early_cond", "forge_additional_modules",
    "code_former_weight",
)  # fmt: skip
# What would otherwise be shown or saved for every nested call.
_QUIET = {"multiple_tqdm": False, "save_init_img": False}


class WebuiHost:
    """The host for one run of one processing object, whose sampler and CFG are the defaults."""

    def __init__(self, outer: Any, kept_scripts: Sequence[str] = ()) -> None:
        self._outer = outer
        self._kept_scripts = tuple(kept_scripts)
        # Why a checkpoint, VAE and text encoders did not load: every further try would load the user's again, too.
        self._not_loaded: dict[tuple[str, str, str], str] = {}
        self._without_room: set[tuple[str, str, str]] = set()

    @property
    def capabilities(self) -> Capabilities:
        """See `Host.capabilities`."""
        samplers = probe.samplers()
        area, most = _batch_limits(models.facts().native_side)
        return Capabilities(
            engine=probe.flavour(),
            batch_pixels=area,
            most_elements=most,
            canvas_multiple=probe.canvas_multiple(),
            smallest_side=_SMALLEST_SIDE,
            samplers=samplers,
            schedulers=probe.schedulers(),
            noise_samplers=frozenset(samplers) - _BATCH_DEPENDENT,
            prompts=True,
            extras=probe.extras(),
            latent_upscalers=tuple(shared.latent_upscale_modes),
            differential_samplers=frozenset(
                name for name in samplers if not _counts_timesteps(sd_samplers.find_sampler_config(name))
            ),
        )

    @property
    def identity(self) -> str:
        """See `Host.identity`."""
        options = {name: getattr(shared.opts, name) for name in _RELEVANT if name in shared.opts.data_labels}
        return f"{probe.flavour()}/{models.identity()}/{options}"

    def model(self, checkpoint: str = "") -> ModelFacts:
        """See `Host.model`."""
        return models.facts(checkpoint)

    def networks(self, prompt: str) -> tuple[NetworkFacts, ...]:
        """See `Host.networks`."""
        return networks.named_in(prompt)

    def sampled_steps(self, sampling: Sampling) -> int:
        """See `Host.sampled_steps`: the host's own count for img2img."""
        if sampling.denoising_strength <= 0 or sampling.steps <= 0:
            return 0
        _, encoded = setup_img2img_steps(_Counted(sampling))
        config = sd_samplers.find_sampler_config(sampling.sampler or self._outer.sampler_name)
        if config is None:
            return encoded + 1
        if _counts_timesteps(config):
            # These take one step less than the others, and PLMS calls the model twice in its first one.
            return max(0, encoded - 1 if config.name.startswith("DDIM") else encoded)
        if config.name == "HeunPP2":
            # Three evaluations a step, two in the last but one and one in the last.
            return 3 * max(0, encoded - 1) + min(encoded, 1) * 2 + 1
        return 2 * (encoded + 1) - 1 if config.options.get("second_order", False) else encoded + 1

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        """See `Host.redraw`."""
        sampling = batch.sampling
        self._check(sampling)
        if sampling.denoising_strength <= 0:
            return [element.pixels.copy() for element in batch.elements]
        model = sampling.checkpoint, sampling.vae, sampling.text_encoders
        if model in self._not_loaded:
            raise NotLoaded(self._not_loaded[model])
        chosen = _chosen(sampling)
        frozen = [key for key in chosen if probe.is_frozen(key)]
        if frozen:
            raise HostError(
                f"This host does not let settings be changed ({', '.join(frozen)}): leave the stage's empty."
            )
        options = probe.allowed_options({**_QUIET, **chosen})
        probe.keep_distilled_cfg(self._outer)
        results: dict[int, Array] = {}
        # The host takes extra networks from a batch's first prompt only; scripts inside take the whole prompt from it.
        kept = bool(scripts_to_keep(self._outer, self._kept_scripts))
        for numbers in _grouped(batch.elements, _texts if kept else _extra_networks):
            elements = [batch.elements[number] for number in numbers]
            order = Order(elements, sampling, options, self._outer, watch, self._kept_scripts)
            try:
                found, texts = redraw_together(order)
            except NotLoaded as error:
                if error.short_of_memory and model not in self._without_room:
                    # Once: detectors may leave the device.
                    self._without_room.add(model)
                    raise NoRoomForModel(str(error)) from error
                self._not_loaded[model] = str(error)
                raise
            results.update(zip(numbers, found))
            for number, element, (prompt, negative) in zip(numbers, elements, texts):
                if (prompt, negative) != (element.prompt, element.negative_prompt):
                    watch.expanded(number, prompt, negative)
        return [results[number] for number in range(len(batch.elements))]

    def upscalers(self) -> tuple[UpscalerFacts, ...]:
        """See `Host.upscalers`."""
        return models.upscalers()

    def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
        """See `Host.upscale`."""
        watch.step(1, 1)
        return models.upscale(name, pixels, watch)

    def face_restorers(self) -> tuple[str, ...]:
        """See `Host.face_restorers`."""
        return restoration.names()

    def restore_faces(self, name: str, pixels: Array, watch: Watch) -> Array:
        """See `Host.restore_faces`."""
        watch.step(1, 1)
        return restoration.restore(name, pixels)

    def free_memory(self) -> None:
        """See `Host.free_memory`."""
        devices.torch_gc()

    def settle(self) -> None:
        """After a picture: what the host itself does not put back between the pictures of a run."""
        probe.restore_token_merging(self._outer)
        probe.restore_tiling(self._outer)

    def close(self) -> None:
        """After the run: the user's checkpoint is loaded again."""
        probe.restore_model()

    def _check(self, sampling: Sampling) -> None:
        samplers, schedulers = probe.samplers(), probe.schedulers()
        # The host would quietly take another one.
        if sampling.sampler and sampling.sampler not in samplers:
            raise HostError(f"There is no sampler {sampling.sampler!r} here. Samplers: {', '.join(samplers)}.")
        if sampling.scheduler and schedulers and sampling.scheduler not in schedulers:
            raise HostError(f"There is no scheduler {sampling.scheduler!r} here. Schedulers: {', '.join(schedulers)}.")
        if sampling.denoising_strength > 0 and self.sampled_steps(sampling) < 1:
            name = sampling.sampler or self._outer.sampler_name
            raise HostError(
                f"{sampling.steps} steps at strength {sampling.denoising_strength:g} leave {name} nothing to do: "
                "raise the steps or choose another sampler."
            )


class _Counted:
    """As much of a processing object as the host's step count reads."""

    def __init__(self, sampling: Sampling) -> None:
        self.steps = sampling.steps
        self.denoising_strength = sampling.denoising_strength


def _counts_timesteps(config: Any) -> bool:
    """Whether a sampler works on timesteps and not on sigmas."""
    from modules import sd_samplers_timesteps

    return any(item.name == config.name for item in sd_samplers_timesteps.samplers_data_timesteps)


def _chosen(sampling: Sampling) -> dict[str, Any]:
    """The overridden settings that a batch asks for."""
    options: dict[str, Any] = {}
    alone = False
    if sampling.checkpoint:
        options["sd_model_checkpoint"] = probe.checkpoint_info(sampling.checkpoint).name
        alone = models.stands_alone_beside(sampling.checkpoint)
    names = [name.strip() for name in sampling.text_encoders.split(",") if name.strip()]
    options.update(probe.module_options(sampling.vae, names, alone))
    if sampling.clip_skip:
        options["CLIP_stop_at_last_layers"] = sampling.clip_skip
    if sampling.s_noise:
        # The host's setting, where it is not 1, goes before what the call says.
        options["s_noise"] = sampling.s_noise
    return options


def _batch_limits(native_side: int) -> tuple[int, int]:
    """(pixels, crops) to begin with: by the card's memory, and few where there is no card to be kept busy."""
    native = native_side * native_side
    if getattr(shared.sd_model, "is_wan", False):
        # Neo rounds such a batch to the length of a video.
        return native, 1
    # The host may have been told to leave a card alone.
    if not torch.cuda.is_available() or torch.device(devices.device).type != "cuda":
        return 4 * native, 4
    gib = torch.cuda.get_device_properties(devices.device).total_memory / _GIB
    return max(native, int((gib - 4) * 400_000)), 8


def _texts(element: Element) -> tuple[str, ...]:
    return element.prompt, element.negative_prompt


def _extra_networks(element: Element) -> tuple[str, ...]:
    return tuple(extra_networks(element.prompt))


def _grouped(elements: Sequence[Element], key: Callable[[Element], _Key]) -> list[list[int]]:
    groups: dict[_Key, list[int]] = {}
    for number, element in enumerate(elements):
        groups.setdefault(key(element), []).append(number)
    return list(groups.values())
