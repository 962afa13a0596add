"""Generating from a picture, with inpainting."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps

from modules import images, masking, rng, sd_samplers
from modules.processing_object import StableDiffusionProcessing, on_device
from modules.sd_samplers_common import images_tensor_to_samples
from modules.shared import opts


def create_binary_mask(image, round=True):
    if image.mode == "RGBA" and image.getextrema()[-1] != (255, 255):
        alpha = image.split()[-1].convert("L")
        return alpha.point(lambda level: 255 if level > 128 else 0) if round else alpha
    return image.convert("L")


def setup_color_correction(image):
    return cv2.cvtColor(np.asarray(image.copy()), cv2.COLOR_RGB2LAB)


@dataclass(repr=False)
class StableDiffusionProcessingImg2Img(StableDiffusionProcessing):
    init_images: list = None
    resize_mode: int = 0
    denoising_strength: float = 0.75
    image_cfg_scale: float = None
    mask: Any = None
    mask_blur_x: int = 4
    mask_blur_y: int = 4
    mask_blur: int = None
    mask_round: bool = True
    inpainting_fill: int = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: int = 0
    inpainting_mask_invert: int = 0
    initial_noise_multiplier: float = None
    latent_mask: object = None
    force_task_id: str = None

    image_mask: Any = field(default=None, init=False)
    nmask: torch.Tensor = field(default=None, init=False)
    image_conditioning: torch.Tensor = field(default=None, init=False)
    init_img_hash: str = field(default=None, init=False)
    mask_for_overlay: object = field(default=None, init=False)
    init_latent: torch.Tensor = field(default=None, init=False)

    def __post_init__(self):
        super().__post_init__()
        self.image_mask, self.mask = self.mask, None
        if self.initial_noise_multiplier is None:
            self.initial_noise_multiplier = opts.initial_noise_multiplier

    @property
    def mask_blur(self):  # noqa: F811 (field and property of one name, as in the host)
        return self.mask_blur_x if self.mask_blur_x == self.mask_blur_y else None

    @mask_blur.setter
    def mask_blur(self, value):
        # Anything but a whole number is dropped.
        if isinstance(value, int):
            self.mask_blur_x = self.mask_blur_y = value

    # Forge Neo alone tells conditionings apart by the picture, too.
    def cached_params(self, *args, **kwargs):
        return *super().cached_params(*args, **kwargs), hash(self.init_latent.cpu().numpy().tobytes())

    def init(self, all_prompts, all_seeds, all_subseeds):
        self.extra_generation_params["Denoising strength"] = self.denoising_strength
        self.image_cfg_scale = None
        self.sampler = sd_samplers.create_sampler(self.sampler_name, self.sd_model)
        image_mask, crop = (None, None) if self.image_mask is None else self._mask_and_crop()
        latent_mask = image_mask if self.latent_mask is None else self.latent_mask
        correct = opts.img2img_color_correction and self.color_corrections is None
        if correct:
            self.color_corrections = []
        picture = torch.from_numpy(self._batch([
            self._prepared(item, image_mask, latent_mask, crop, correct) for item in self.init_images
        ]))  # fmt: skip
        self.init_latent = images_tensor_to_samples(picture, None, self.sd_model)
        if self.resize_mode == 3:
            size = self.height // 8, self.width // 8
            self.init_latent = torch.nn.functional.interpolate(self.init_latent, size=size, mode="bilinear")
        if image_mask is not None:
            self._set_latent_masks(latent_mask, all_seeds)
        self.image_conditioning = self.img2img_image_conditioning(
            picture * 2 - 1, self.init_latent, image_mask, self.mask_round
        )

    def _mask_and_crop(self):
        told = self.extra_generation_params
        mask, crop = create_binary_mask(self.image_mask, round=self.mask_round), None
        if self.inpainting_mask_invert:
            mask = ImageOps.invert(mask)
            told["Mask mode"] = "Inpaint not masked"
        for blur, across in ((self.mask_blur_x, True), (self.mask_blur_y, False)):
            if blur > 0:
                side = 2 * int(2.5 * blur + 0.5) + 1
                mask = Image.fromarray(cv2.GaussianBlur(np.array(mask), (side, 1) if across else (1, side), blur))
        if self.mask_blur_x > 0 or self.mask_blur_y > 0:
            told["Mask blur"] = self.mask_blur
        if self.inpaint_full_res:
            self.mask_for_overlay = mask
            crop = masking.get_crop_region_v2(mask.convert("L"), self.inpaint_full_res_padding)
            if crop:
                crop = masking.expand_crop_region(crop, self.width, self.height, mask.width, mask.height)
                x1, y1, x2, y2 = crop
                self.paste_to = x1, y1, x2 - x1, y2 - y1
                mask = images.resize_image(2, mask.convert("L").crop(crop), self.width, self.height)
                told["Inpaint area"] = "Only masked"
                told["Masked area padding"] = self.inpaint_full_res_padding
            else:
                crop = mask = self.mask_for_overlay = None
                self.inpaint_full_res = False
                self.comment('Unable to perform "Inpaint Only mask" because mask is blank, switch to img2img mode.')
        else:
            mask = images.resize_image(self.resize_mode, mask, self.width, self.height)
            doubled = np.clip(np.array(mask).astype(np.float32) * 2, 0, 255).astype(np.uint8)
            self.mask_for_overlay = Image.fromarray(doubled)
        self.overlay_images = []
        return mask, crop

    def _prepared(self, given, image_mask, latent_mask, crop, correct):
        if opts.save_init_img:
            self.init_img_hash = hashlib.md5(given.tobytes()).hexdigest()
            images.save_image(
                given, path=opts.outdir_init_images, basename=None, forced_filename=self.init_img_hash,
                save_to_dirs=False, existing_info=given.info,
            )  # fmt: skip
        picture = images.flatten(given, opts.img2img_background_color)
        if crop is None and self.resize_mode != 3:
            picture = images.resize_image(self.resize_mode, picture, self.width, self.height)
        if image_mask is not None:
            if self.mask_for_overlay.size != picture.size:
                self.mask_for_overlay = images.resize_image(self.resize_mode, self.mask_for_overlay, *picture.size)
            kept = Image.new("RGBa", picture.size)
            kept.paste(
                picture.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(self.mask_for_overlay.convert("L"))
            )
            self.overlay_images.append(kept.convert("RGBA"))
        if crop is not None:
            picture = images.resize_image(2, picture.crop(crop), self.width, self.height)
        if image_mask is not None and self.inpainting_fill != 1:
            picture = masking.fill(picture, latent_mask)
            if self.inpainting_fill == 0:
                self.extra_generation_params["Masked content"] = "fill"
        if correct:
            self.color_corrections.append(setup_color_correction(picture))
        return np.moveaxis(np.array(picture).astype(np.float32) / 255, 2, 0)

    def _batch(self, pictures):
        if len(pictures) == 1:
            if self.overlay_images is not None:
                self.overlay_images = self.overlay_images * self.batch_size
            if self.color_corrections is not None and len(self.color_corrections) == 1:
                self.color_corrections = self.color_corrections * self.batch_size
            return np.stack(pictures).repeat(self.batch_size, axis=0)
        if len(pictures) > self.batch_size:
            raise RuntimeError(
                f"bad number of images passed: {len(pictures)}; expecting {self.batch_size} or less"
            )  # fmt: skip
        self.batch_size = len(pictures)
        return np.array(pictures)

    def _set_latent_masks(self, latent_mask, all_seeds):
        latent = self.init_latent
        cells = latent_mask.convert("RGB").resize((latent.shape[3], latent.shape[2]))
        drawn = np.array(cells, dtype=np.float32)[..., 0] / 255
        drawn = np.tile((np.around(drawn) if self.mask_round else drawn)[None], (latent.shape[1], 1, 1))
        self.mask, self.nmask = on_device(torch.asarray(1.0 - drawn)), on_device(torch.asarray(drawn))
        if self.inpainting_fill in (2, 3):
            names = {2: "latent noise", 3: "latent nothing"}
            self.init_latent = latent * self.mask
            if self.inpainting_fill == 2:
                noise = rng.ImageRNG(latent.shape[1:], all_seeds[: latent.shape[0]]).next()
                self.init_latent = self.init_latent + noise * self.nmask
            self.extra_generation_params["Masked content"] = names[self.inpainting_fill]

    def sample(self, conditioning, unconditional_conditioning, seeds, subseeds, subseed_strength, prompts):
        x = self.rng.next()
        if self.initial_noise_multiplier != 1.0:
            self.extra_generation_params["Noise multiplier"] = self.initial_noise_multiplier
            x *= self.initial_noise_multiplier
        if self.scripts is not None:
            self.scripts.process_before_every_sampling(
                p=self, x=self.init_latent, noise=x, c=conditioning, uc=unconditional_conditioning
            )
        samples = self.sampler.sample_img2img(
            self, self.init_latent, x, conditioning, unconditional_conditioning,
            image_conditioning=self.image_conditioning,
        )  # fmt: skip
        if self.mask is None:
            return samples
        blended = samples * self.nmask + self.init_latent * self.mask
        if self.scripts is not None:
            from modules import scripts

            told = scripts.MaskBlendArgs(samples, self.nmask, self.init_latent, self.mask, blended)
            self.scripts.on_mask_blend(self, told)
            blended = told.blended_latent
        return blended

    def get_token_merging_ratio(self, for_hr=False):
        overridden = "token_merging_ratio" in self.override_settings and opts.token_merging_ratio
        return self.token_merging_ratio or overridden or opts.token_merging_ratio_img2img or opts.token_merging_ratio
