"""Regions of masks."""

from __future__ import annotations

from PIL import Image, ImageFilter, ImageOps

_BLURS = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))


def get_crop_region_v2(mask, pad=0):
    """The box of whatever is marked, padded, or None."""
    box = (mask if isinstance(mask, Image.Image) else Image.fromarray(mask)).getbbox()
    if not box:
        return None
    width, height = mask.size
    return max(box[0] - pad, 0), max(box[1] - pad, 0), min(box[2] + pad, width), min(box[3] + pad, height)


def get_crop_region(mask, pad=0):
    found = get_crop_region_v2(mask, pad)
    return found or (
        max(mask.size[0] - pad, 0),
        max(mask.size[1] - pad, 0),
        min(pad, mask.size[0]),
        min(pad, mask.size[1]),
    )


def _widened(begin, end, wanted, most):
    """An interval of the wanted length about the old one, inside 0..most."""
    more = int(wanted - (end - begin))
    begin, end = begin - more // 2, end + more - more // 2
    if end >= most:
        begin, end = begin - (end - most), most
    if begin < 0:
        begin, end = 0, end - begin
    return begin, min(end, most)


def expand_crop_region(crop_region, processing_width, processing_height, image_width, image_height):
    """The box at the aspect in which it is going to be drawn."""
    x1, y1, x2, y2 = crop_region
    aspect = processing_width / processing_height
    if (x2 - x1) / (y2 - y1) > aspect:
        y1, y2 = _widened(y1, y2, (x2 - x1) / aspect, image_height)
    else:
        x1, x2 = _widened(x1, x2, (y2 - y1) * aspect, image_width)
    return x1, y1, x2, y2


def fill(image, mask):
    """The marked part painted over with blurred surroundings."""
    filled = Image.new("RGBA", image.size)
    kept = Image.new("RGBa", image.size)
    kept.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask.convert("L")))
    for radius, times in _BLURS:
        blurred = kept.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            filled.alpha_composite(blurred)
    return filled.convert("RGB")
