"""The main loop of both tabs."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from modules import (
    devices,
    extra_networks,
    images,
    paths_internal,
    rng,
    scripts,
    sd_hijack,
    sd_models,
    sd_samplers,
    sd_vae,
    shared,
)
from modules.composing import apply_color_correction, apply_overlay, composed
from modules.processing_img2img import StableDiffusionProcessingImg2Img, create_binary_mask, setup_color_correction
from modules.processing_infotext import Processed, create_infotext, program_version
from modules.processing_object import StableDiffusionProcessing
from modules.processing_txt2img import StableDiffusionProcessingTxt2Img
from modules.sd_samplers_common import decode_first_stage, images_tensor_to_samples
from modules.shared import cmd_opts, opts, state

__all__ = [
    "DecodedSamples",
    "Processed",
    "StableDiffusionProcessing",
    "StableDiffusionProcessingImg2Img",
    "StableDiffusionProcessingTxt2Img",
    "apply_color_correction",
    "apply_overlay",
    "create_binary_mask",
    "create_infotext",
    "create_random_tensors",
    "decode_first_stage",
    "decode_latent_batch",
    "fix_seed",
    "get_fixed_seed",
    "images_tensor_to_samples",
    "process_images",
    "process_images_inner",
    "program_version",
    "setup_color_correction",
]  # fmt: skip
opt_C, opt_f = 4, 8  # noqa: N816 (the host's name)


class DecodedSamples(list):
    already_decoded = True


def decode_latent_batch(model, batch, target_device=None, check_for_nans=False):
    if check_for_nans:
        devices.test_for_nans(batch, "unet")
    return DecodedSamples(decode_first_stage(model, batch[number : number + 1])[0] for number in range(len(batch)))


def create_random_tensors(
    shape, seeds, subseeds=None, subseed_strength=0.0, seed_resize_from_h=0, seed_resize_from_w=0, p=None
):  # fmt: skip
    return rng.ImageRNG(shape, seeds, subseeds, subseed_strength, seed_resize_from_h, seed_resize_from_w).next()


def get_fixed_seed(seed):
    if isinstance(seed, str):
        try:
            seed = int(seed)
        except ValueError:
            seed = -1
    return int(random.randrange(4294967294)) if seed in (None, -1) else seed


def fix_seed(p):
    p.seed, p.subseed = get_fixed_seed(p.seed), get_fixed_seed(p.subseed)


def process_images(p):
    if p.scripts is not None:
        p.scripts.before_process(p)
    # Only what the configuration already names is put back afterwards.
    stored = {key: opts.data[key] for key in p.override_settings if key in opts.data}
    try:
        if sd_models.checkpoint_aliases.get(p.override_settings.get("sd_model_checkpoint")) is None:
            p.override_settings.pop("sd_model_checkpoint", None)
            sd_models.reload_model_weights()
        for key, value in p.override_settings.items():
            opts.set(key, value, is_api=True, run_callbacks=False)
            if key == "sd_model_checkpoint":
                sd_models.reload_model_weights()
            if key == "sd_vae":
                sd_vae.reload_vae_weights()
        sd_models.apply_token_merging(p.sd_model, p.get_token_merging_ratio())
        sd_samplers.fix_p_invalid_sampler_and_scheduler(p)
        return process_images_inner(p)
    finally:
        sd_models.apply_token_merging(p.sd_model, 0)
        if p.override_settings_restore_afterwards:
            for key, value in stored.items():
                setattr(opts, key, value)
                if key == "sd_vae":
                    sd_vae.reload_vae_weights()


def process_images_inner(p):
    assert p.prompt is not None and p.prompt != []
    devices.torch_gc()
    seed, subseed = get_fixed_seed(p.seed), get_fixed_seed(p.subseed)
    p.restore_faces = opts.face_restoration if p.restore_faces is None else p.restore_faces
    p.tiling = opts.tiling if p.tiling is None else p.tiling
    if p.refiner_checkpoint not in (None, "", "None", "none"):
        p.refiner_checkpoint_info = sd_models.get_closet_checkpoint_match(p.refiner_checkpoint)
        if p.refiner_checkpoint_info is None:
            raise Exception(f"Could not find checkpoint with name {p.refiner_checkpoint}")
    model = shared.sd_model
    p.sd_model_name, p.sd_model_hash = model.sd_checkpoint_info.name_for_extra, model.sd_model_hash
    p.sd_vae_name, p.sd_vae_hash = sd_vae.get_loaded_vae_name(), sd_vae.get_loaded_vae_hash()
    sd_hijack.model_hijack.apply_circular(p.tiling)
    sd_hijack.model_hijack.clear_comments()
    p.fill_fields_from_opts()
    p.setup_prompts()
    count = range(len(p.all_prompts))
    steady = p.subseed_strength != 0
    p.all_seeds = seed if isinstance(seed, list) else [int(seed) + (0 if steady else number) for number in count]
    p.all_subseeds = subseed if isinstance(subseed, list) else [int(subseed) + number for number in count]
    if p.scripts is not None:
        p.scripts.process(p)
    infotexts, found = [], []
    with torch.no_grad(), p.sd_model.ema_scope():
        p.init(p.all_prompts, p.all_seeds, p.all_subseeds)
        if state.job_count == -1:
            state.job_count = p.n_iter
        for number in range(p.n_iter):
            p.iteration = number
            state.skipped = False
            if state.interrupted or state.stopping_generation:
                break
            sd_models.reload_model_weights()
            samples = _sampled(p, number)
            if samples is None:
                break
            _finish_batch(p, number, samples, infotexts, found)
        if not infotexts:
            infotexts.append(Processed(p, []).infotext(p, 0))
        p.color_corrections = None
        first = _grid(p, infotexts, found)
    if not p.disable_extra_networks and p.extra_network_data:
        extra_networks.deactivate(p, p.extra_network_data)
    devices.torch_gc()
    done = Processed(
        p, images_list=found, seed=p.all_seeds[0], info=infotexts[0], subseed=p.all_subseeds[0],
        index_of_first_image=first, infotexts=infotexts,
    )  # fmt: skip
    if p.scripts is not None:
        p.scripts.postprocess(p, done)
    return done


def _sampled(p, number):
    """The samples of one iteration, or None where there is nothing to be done."""
    mine = slice(number * p.batch_size, (number + 1) * p.batch_size)
    p.prompts, p.negative_prompts = p.all_prompts[mine], p.all_negative_prompts[mine]
    p.seeds, p.subseeds = p.all_seeds[mine], p.all_subseeds[mine]
    shape = shared.sd_model.latent_channels, p.height // opt_f, p.width // opt_f
    p.rng = rng.ImageRNG(
        shape, p.seeds, subseeds=p.subseeds, subseed_strength=p.subseed_strength,
        seed_resize_from_h=p.seed_resize_from_h, seed_resize_from_w=p.seed_resize_from_w,
    )  # fmt: skip

    def told():
        return {"batch_number": number, "prompts": p.prompts, "seeds": p.seeds, "subseeds": p.subseeds}

    if p.scripts is not None:
        p.scripts.before_process_batch(p, **told())
    if not p.prompts:
        return None
    p.parse_extra_network_prompts()
    if not p.disable_extra_networks:
        extra_networks.activate(p, p.extra_network_data)
    if p.scripts is not None:
        p.scripts.process_batch(p, **told())
    p.setup_conds()
    p.extra_generation_params.update(sd_hijack.model_hijack.extra_generation_params)
    if number == 0 and not cmd_opts.no_prompt_history:
        text = Processed(p, []).infotext(p, 0)
        (Path(paths_internal.data_path) / "params.txt").write_text(text, encoding="utf-8")
    for comment in sd_hijack.model_hijack.comments:
        p.comment(comment)
    if p.n_iter > 1:
        state.job = f"Batch {number + 1} out of {p.n_iter}"
    sd_models.apply_alpha_schedule_override(p.sd_model, p)
    samples = p.sample(
        conditioning=p.c, unconditional_conditioning=p.uc, seeds=p.seeds, subseeds=p.subseeds,
        subseed_strength=p.subseed_strength, prompts=p.prompts,
    )  # fmt: skip
    if p.scripts is not None:
        post = scripts.PostSampleArgs(samples)
        p.scripts.post_sample(p, post)
        samples = post.samples
    return samples


def _finish_batch(p, number, samples, infotexts, found):
    if not getattr(samples, "already_decoded", False):
        devices.test_for_nans(samples, "unet")
        samples = decode_latent_batch(p.sd_model, samples, target_device=devices.cpu, check_for_nans=True)
    decoded = torch.clamp((torch.stack(list(samples)).float() + 1.0) / 2.0, min=0.0, max=1.0)
    state.nextjob()
    if p.scripts is not None:
        p.scripts.postprocess_batch(p, decoded, batch_number=number)
        # From here on the prompts have their extra networks' tags again.
        mine = slice(number * p.batch_size, (number + 1) * p.batch_size)
        p.prompts, p.negative_prompts = p.all_prompts[mine], p.all_negative_prompts[mine]
        batch = scripts.PostprocessBatchListArgs(list(decoded))
        p.scripts.postprocess_batch_list(p, batch, batch_number=number)
        decoded = batch.images

    def infotext(index):
        return create_infotext(p, p.prompts, p.seeds, p.subseeds, index=index, all_negative_prompts=p.negative_prompts)

    save = p.save_samples()

    def store(image, index, suffix=""):
        images.save_image(
            image, p.outpath_samples, "", p.seeds[index], p.prompts[index], opts.samples_format, info=infotext(index),
            p=p, suffix=suffix,
        )  # fmt: skip

    for index, sample in enumerate(decoded):
        p.batch_index = index
        # Rounded down, never to the nearest level.
        image = Image.fromarray((255.0 * np.moveaxis(sample.cpu().numpy(), 0, 2)).astype(np.uint8))
        image, mask, alone = composed(p, index, image)
        if save:
            store(image, index)
        text = infotext(index)
        infotexts.append(text)
        if opts.enable_pnginfo:
            image.info["parameters"] = text
        found.append(image)
        if mask is None:
            continue
        if opts.return_mask or opts.save_mask:
            drawn = mask.convert("RGB")
            if save and opts.save_mask:
                store(drawn, index, "-mask")
            if opts.return_mask:
                found.append(drawn)
        if opts.return_mask_composite or opts.save_mask_composite:
            fitted = images.resize_image(2, mask, image.width, image.height).convert("L")
            nothing = Image.new("RGBa", image.size)
            both = Image.composite(alone.convert("RGBA").convert("RGBa"), nothing, fitted).convert("RGBA")
            if save and opts.save_mask_composite:
                store(both, index, "-mask-composite")
            if opts.return_mask_composite:
                found.append(both)
    devices.torch_gc()


def _grid(p, infotexts, found):
    """Put the grid of several pictures before them; the number of the first picture."""
    alone = len(found) < 2 and opts.grid_only_if_multiple
    if not found or alone or p.do_not_save_grid or not (opts.return_grid or opts.grid_save):
        return 0
    grid = images.image_grid(found, p.batch_size)
    text = create_infotext(
        p, p.prompts, p.seeds, p.subseeds, use_main_prompt=True, all_negative_prompts=p.negative_prompts
    )  # fmt: skip
    if opts.return_grid:
        infotexts.insert(0, text)
        if opts.enable_pnginfo:
            grid.info["parameters"] = text
        found.insert(0, grid)
    if opts.grid_save:
        images.save_image(
            grid, p.outpath_grids, "grid", p.all_seeds[0], p.all_prompts[0], opts.grid_format, info=text,
            short_filename=not opts.grid_extended_filename, p=p, grid=True,
        )  # fmt: skip
    return 1 if opts.return_grid else 0
