"""A decoded picture on its way to being saved: per-picture hooks, colours, and what an inpainting keeps."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from modules import errors, images, scripts
from modules.shared import opts


def apply_color_correction(correction, original_image):
    """Each plane of the picture brought to the mean and spread of the original."""
    lab = cv2.cvtColor(np.asarray(original_image.convert("RGB")), cv2.COLOR_RGB2LAB).astype(np.float32)
    for plane in range(3):
        wanted, found = correction[..., plane].astype(np.float32), lab[..., plane]
        lab[..., plane] = (found - found.mean()) * (wanted.std() / max(found.std(), 1e-3)) + wanted.mean()
    return Image.fromarray(cv2.cvtColor(np.clip(lab, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB))


def apply_overlay(image, paste_loc, overlay):
    """(the picture with what was kept on top, the picture alone at the same size)."""
    if overlay is None:
        return image, image.copy()
    if paste_loc is not None:
        x, y, width, height = paste_loc
        whole = Image.new("RGBA", overlay.size)
        whole.paste(images.resize_image(1, image, width, height), (x, y))
        image = whole
    alone = image.copy()
    image = image.convert("RGBA")
    image.alpha_composite(overlay)
    return image.convert("RGB"), alone


def composed(p, index, image):
    """(picture after all hooks, mask, the picture without what was kept)."""
    if p.restore_faces:
        errors.report("The stand-in restores no faces.")
    if p.scripts is not None:
        told = scripts.PostprocessImageArgs(image)
        p.scripts.postprocess_image(p, told)
        image = told.image
    mask, overlays = getattr(p, "mask_for_overlay", None), getattr(p, "overlay_images", None)
    overlay = overlays[index] if opts.overlay_inpaint and overlays is not None and index < len(overlays) else None
    if p.scripts is not None:
        told = scripts.PostProcessMaskOverlayArgs(index, mask, overlay)
        p.scripts.postprocess_maskoverlay(p, told)
        mask, overlay = told.mask_for_overlay, told.overlay_image
    if p.color_corrections is not None and index < len(p.color_corrections):
        image = apply_color_correction(p.color_corrections[index], image)
    image, alone = apply_overlay(image, p.paste_to, overlay)
    if p.scripts is not None:
        told = scripts.PostprocessImageArgs(image)
        p.scripts.postprocess_image_after_composite(p, told)
        image = told.image
    return image, mask, alone
