"""The result of a generation, and the text that tells how it was made."""

from __future__ import annotations

import json

from modules import devices, errors, infotext_utils, sd_samplers_common
from modules.shared import opts, state

_NAMES = (
    "prompt", "negative_prompt", "subseed_strength", "width", "height", "sampler_name", "cfg_scale", "steps",
    "batch_size", "restore_faces", "sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash",
    "seed_resize_from_w", "seed_resize_from_h", "extra_generation_params", "styles", "token_merging_ratio",
    "token_merging_ratio_hr", "eta", "ddim_discretize", "s_churn", "s_tmin", "s_tmax", "s_noise", "s_min_uncond",
    "sampler_noise_scheduler_override", "is_using_inpainting_conditioning",
)  # fmt: skip
_TOLD = (
    "prompt", "all_prompts", "negative_prompt", "all_negative_prompts", "seed", "all_seeds", "subseed", "all_subseeds",
    "subseed_strength", "width", "height", "sampler_name", "cfg_scale", "steps", "batch_size", "restore_faces",
    "face_restoration_model", "sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash", "seed_resize_from_w",
    "seed_resize_from_h", "denoising_strength", "extra_generation_params", "index_of_first_image", "infotexts",
    "styles", "job_timestamp", "clip_skip", "is_using_inpainting_conditioning", "version",
)  # fmt: skip


def program_version():
    return "v1.10.1"


class Processed:
    def __init__(
        self, p, images_list, seed=-1, info="", subseed=None, all_prompts=None, all_negative_prompts=None,
        all_seeds=None, all_subseeds=None, index_of_first_image=0, infotexts=None, comments="",
    ):  # fmt: skip
        for name in _NAMES:
            setattr(self, name, getattr(p, name))
        self.images, self.info = images_list, info
        self.comments = "".join(f"{comment}\n" for comment in p.comments)
        self.denoising_strength = getattr(p, "denoising_strength", None)
        self.image_cfg_scale = getattr(p, "image_cfg_scale", None)
        self.face_restoration_model = opts.face_restoration_model if p.restore_faces else None
        self.prompt, self.negative_prompt = (
            text[0] if isinstance(text, list) else text for text in (self.prompt, self.negative_prompt)
        )
        self.seed, self.subseed = (
            -1 if value is None else int(value[0] if isinstance(value, list) else value) for value in (seed, subseed)
        )
        self.all_prompts = all_prompts or p.all_prompts or [self.prompt]
        self.all_negative_prompts = all_negative_prompts or p.all_negative_prompts or [self.negative_prompt]
        self.all_seeds = all_seeds or p.all_seeds or [self.seed]
        self.all_subseeds = all_subseeds or p.all_subseeds or [self.subseed]
        self.infotexts = infotexts or [info] * len(images_list)
        self.index_of_first_image = index_of_first_image
        self.job_timestamp, self.clip_skip = state.job_timestamp, opts.CLIP_stop_at_last_layers
        self.version = program_version()

    def js(self):
        told = {name: getattr(self, name) for name in _TOLD}
        told["prompt"], told["negative_prompt"] = self.all_prompts[0], self.all_negative_prompts[0]
        return json.dumps(told, default=lambda thing: None)

    def infotext(self, p, index):
        return create_infotext(
            p, self.all_prompts, self.all_seeds, self.all_subseeds, comments=[],
            position_in_batch=index % self.batch_size, iteration=index // self.batch_size,
        )  # fmt: skip

    def get_token_merging_ratio(self, for_hr=False):
        return self.token_merging_ratio_hr if for_hr else self.token_merging_ratio


def create_infotext(
    p, all_prompts, all_seeds, all_subseeds, comments=None, iteration=0, position_in_batch=0, use_main_prompt=False,
    index=None, all_negative_prompts=None,
):  # fmt: skip
    if use_main_prompt:
        index = 0
    elif index is None:
        index = position_in_batch + iteration * p.batch_size
    if all_negative_prompts is None:
        all_negative_prompts = p.all_negative_prompts
    clip_skip = getattr(p, "clip_skip", opts.CLIP_stop_at_last_layers)
    merging, merging_hr = p.get_token_merging_ratio(), p.get_token_merging_ratio(for_hr=True)
    prompt_text = p.main_prompt if use_main_prompt else all_prompts[index]
    negative_prompt = p.main_negative_prompt if use_main_prompt else all_negative_prompts[index]
    ensd = opts.eta_noise_seed_delta != 0 and sd_samplers_common.is_sampler_using_eta_noise_seed_delta(p)
    varied = p.subseed_strength != 0
    resized = p.seed_resize_from_w > 0 and p.seed_resize_from_h > 0
    weight = getattr(p, "inpainting_mask_weight", opts.inpainting_mask_weight)
    generation_params = {
        "Steps": p.steps,
        "Sampler": p.sampler_name,
        "Schedule type": p.scheduler,
        "CFG scale": p.cfg_scale,
        "Image CFG scale": getattr(p, "image_cfg_scale", None),
        "Seed": p.all_seeds[0] if use_main_prompt else all_seeds[index],
        "Face restoration": opts.face_restoration_model if p.restore_faces else None,
        "Size": f"{p.width}x{p.height}",
        "Model hash": p.sd_model_hash if opts.add_model_hash_to_info else None,
        "Model": p.sd_model_name if opts.add_model_name_to_info else None,
        "FP8 weight": opts.fp8_storage if devices.fp8 else None,
        "VAE hash": p.sd_vae_hash if opts.add_vae_hash_to_info else None,
        "VAE": p.sd_vae_name if opts.add_vae_name_to_info else None,
        "Variation seed": (p.all_subseeds[0] if use_main_prompt else all_subseeds[index]) if varied else None,
        "Variation seed strength": p.subseed_strength if varied else None,
        "Seed resize from": f"{p.seed_resize_from_w}x{p.seed_resize_from_h}" if resized else None,
        "Denoising strength": p.extra_generation_params.get("Denoising strength"),
        "Conditional mask weight": weight if p.is_using_inpainting_conditioning else None,
        "Clip skip": clip_skip if clip_skip > 1 else None,
        "ENSD": opts.eta_noise_seed_delta if ensd else None,
        "Token merging ratio": merging or None,
        "Token merging ratio hr": (merging_hr or None) if getattr(p, "enable_hr", False) else None,
        "Init image hash": getattr(p, "init_img_hash", None),
        "RNG": opts.randn_source if opts.randn_source != "GPU" else None,
        "Tiling": "True" if p.tiling else None,
        **p.extra_generation_params,
        "Version": program_version() if opts.add_version_to_infotext else None,
        "User": p.user if opts.add_user_name_to_info else None,
    }
    for key, value in generation_params.items():
        try:
            if isinstance(value, list):
                generation_params[key] = value[index]
            elif callable(value):
                # As the host does: extensions may ask for any local variable by name.
                generation_params[key] = value(**locals())
        except Exception:  # noqa: BLE001 (an extension's code)
            errors.report(f'Error creating infotext for key "{key}"', exc_info=True)
            generation_params[key] = None
    parts = [
        key if key == value else f"{key}: {infotext_utils.quote(value)}"
        for key, value in generation_params.items()
        if value is not None
    ]
    negative = f"\nNegative prompt: {negative_prompt}" if negative_prompt else ""
    return f"{prompt_text}{negative}\n{', '.join(parts)}".strip()
