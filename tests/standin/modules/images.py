"""Pictures: sizes, grids, files and the text in them."""

from __future__ import annotations

import datetime
import io
import math
import os
import re
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

from modules import script_callbacks, shared
from modules.shared import opts

LANCZOS = Image.Resampling.LANCZOS
IGNORED_INFO_KEYS = frozenset({
    "jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "exif", "loop", "background", "timestamp", "duration",
    "progressive", "progression", "icc_profile", "chromaticity", "photoshop",
})  # fmt: skip
_USER_COMMENT, _EXIF_BLOCK = 0x9286, 0x8769


def image_grid(imgs, batch_size=1, rows=None):
    rows = rows or math.floor(math.sqrt(len(imgs)))
    while len(imgs) % rows:
        rows -= 1
    rows = min(rows, len(imgs))
    cols = math.ceil(len(imgs) / rows)
    params = script_callbacks.ImageGridLoopParams(imgs, cols, rows)
    script_callbacks.image_grid_callback(params)
    width, height = (max(image.size[axis] for image in params.imgs) for axis in (0, 1))
    grid = Image.new("RGB", (params.cols * width, params.rows * height), "white")
    for number, image in enumerate(params.imgs):
        grid.paste(image, (number % params.cols * width, number // params.cols * height))
    return grid


def resize_image(resize_mode, im, width, height, upscaler_name=None):
    """0 stretches, 1 fills and crops, 2 fits and fills the rest with stretched borders."""
    name = upscaler_name or opts.upscaler_for_img2img

    def resized(wide, high):
        picture, scale = im, max(wide / im.width, high / im.height)
        if name not in (None, "None") and im.mode != "L" and scale > 1.0:
            found = next((item for item in shared.sd_upscalers if item.name == name), shared.sd_upscalers[0])
            picture = found.scaler.upscale(picture, scale, found.data_path)
        return picture if picture.size == (wide, high) else picture.resize((wide, high), resample=LANCZOS)

    if resize_mode == 0:
        return resized(width, height)
    ratio, own = width / height, im.width / im.height
    by_width = ratio > own if resize_mode == 1 else ratio < own
    wide = width if by_width else im.width * height // im.height
    high = height if not by_width else im.height * width // im.width
    inner = resized(wide, high)
    whole = Image.new("RGB", (width, height))
    left, top = width // 2 - wide // 2, height // 2 - high // 2
    whole.paste(inner, box=(left, top))
    if resize_mode == 2 and ratio < own and top > 0:
        whole.paste(inner.resize((width, top), box=(0, 0, width, 0)), box=(0, 0))
        whole.paste(inner.resize((width, top), box=(0, high, width, high)), box=(0, top + high))
    elif resize_mode == 2 and ratio > own and left > 0:
        whole.paste(inner.resize((left, height), box=(0, 0, 0, height)), box=(0, 0))
        whole.paste(inner.resize((left, height), box=(wide, 0, wide, height)), box=(left + wide, 0))
    return whole


def sanitize_filename_part(text, replace_spaces=True):
    if text is None:
        return None
    text = text.replace(" ", "_") if replace_spaces else text
    return re.sub(r'[#<>:"/\\|?*\n\r\t]', "_", text).lstrip(" ")[:128].rstrip(" .")


class FilenameGenerator:
    """Patterns of file names, as far as they are used here."""

    def __init__(self, p, seed, prompt, image, zip=False, basename=""):
        self.p, self.seed, self.prompt, self.image, self.basename = p, seed, prompt, image, basename

    def apply(self, x):
        words = " ".join(re.split(r"[\s,.;:!?()]+", str(self.prompt or ""))[:8])
        known = {
            "seed": lambda: str(self.seed if self.seed is not None else ""),
            "prompt_spaces": lambda: sanitize_filename_part(str(self.prompt or ""), replace_spaces=False),
            "prompt_words": lambda: sanitize_filename_part(words, replace_spaces=False),
            "date": lambda: datetime.datetime.now().strftime("%Y-%m-%d"),
            "width": lambda: str(self.image.width),
            "height": lambda: str(self.image.height),
            "batch_number": lambda: str(getattr(self.p, "batch_index", 0) + 1),
            "generation_number": lambda: str(
                self.p.iteration * self.p.batch_size + getattr(self.p, "batch_index", 0) + 1
            ),
        }
        return re.sub(r"\[(\w+)\]", lambda found: known[found[1]]() if found[1] in known else found[0], x)


def get_next_sequence_number(path, basename):
    prefix = f"{basename}-" if basename else ""
    numbers = [
        int(found[1])
        for name in (item.name for item in Path(path).iterdir())
        if name.startswith(prefix) and (found := re.match(r"(\d+)", name[len(prefix) :]))
    ]
    return max(numbers, default=-1) + 1


def save_image_with_geninfo(
    image, geninfo, filename, extension=None, existing_pnginfo=None, pnginfo_section_name="parameters"
):  # fmt: skip
    extension = extension or Path(filename).suffix
    kind = Image.registered_extensions()[extension.lower()]
    if extension.lower() == ".png":
        texts = {**(existing_pnginfo or {}), **({pnginfo_section_name: geninfo} if geninfo is not None else {})}
        info = PngImagePlugin.PngInfo()
        for key, value in texts.items():
            info.add_text(key, str(value))
        image.save(filename, format=kind, pnginfo=info if opts.enable_pnginfo else None)
        return
    exif = Image.Exif()
    if opts.enable_pnginfo and geninfo is not None:
        exif.get_ifd(_EXIF_BLOCK)[_USER_COMMENT] = b"UNICODE\0" + geninfo.encode("utf-16-be")
    image.convert("RGB").save(filename, format=kind, quality=opts.jpeg_quality, exif=exif)


def save_image(
    image, path, basename, seed=None, prompt=None, extension="png", info=None, short_filename=False, no_prompt=False,
    grid=False, pnginfo_section_name="parameters", p=None, existing_info=None, forced_filename=None, suffix="",
    save_to_dirs=None,
):  # fmt: skip
    names = FilenameGenerator(p, seed, prompt, image, basename=basename)
    if save_to_dirs is None:
        save_to_dirs = (grid and opts.grid_save_to_dirs) or (not grid and opts.save_to_dirs and not no_prompt)
    if save_to_dirs:
        path = Path(path, names.apply(opts.directories_filename_pattern or "[prompt_words]").strip(" /"))
    Path(path).mkdir(parents=True, exist_ok=True)
    if forced_filename is None:
        pattern = opts.samples_filename_pattern or ("[seed]" if opts.save_to_dirs else "[seed]-[prompt_spaces]")
        decoration = ("" if short_filename or seed is None else names.apply(pattern)) + suffix
        if opts.save_images_add_number or not decoration:
            number = get_next_sequence_number(path, basename)
            counted = f"{number:05}" if basename == "" else f"{basename}-{number:04}"
            forced_filename = f"{counted}-{decoration}" if decoration else counted
        else:
            forced_filename = decoration
    texts = existing_info or {}
    if info is not None:
        texts[pnginfo_section_name] = info
    params = script_callbacks.ImageSaveParams(image, p, str(Path(path, f"{forced_filename}.{extension}")), texts)
    script_callbacks.before_image_saved_callback(params)
    stem, ending = os.path.splitext(params.filename)
    told = params.pnginfo.get(pnginfo_section_name)
    temporary = f"{stem}.tmp"
    save_image_with_geninfo(params.image, told, temporary, ending, params.pnginfo, pnginfo_section_name)
    target, number = stem + ending, 0
    while opts.save_images_replace_action != "Replace" and Path(target).exists():
        number += 1
        target = f"{stem}-{number}{ending}"
    Path(temporary).replace(target)
    params.image.already_saved_as = params.filename
    text_file = f"{stem}.txt" if opts.save_txt and told is not None else None
    if text_file:
        Path(text_file).write_text(f"{told}\n", encoding="utf-8")
    script_callbacks.image_saved_callback(params)
    return params.filename, text_file


def _read_through(exif):
    """As the hosts' reader, which is stricter than Pillow: struct.error where a block of entries is not there."""
    data = exif.removeprefix(b"Exif\0\0")
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack_from(f"{order}L", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, at)
    (following,) = struct.unpack_from(f"{order}L", data, at + 2 + 12 * entries)
    if following:
        struct.unpack_from(f"{order}H", data, following)


def read_info_from_image(image):
    items = dict(image.info or {})
    geninfo = items.pop("parameters", None)
    if "exif" in items:
        _read_through(items["exif"])
        comment = image.getexif().get_ifd(_EXIF_BLOCK).get(_USER_COMMENT, b"")
        if isinstance(comment, bytes) and comment.startswith(b"UNICODE\0"):
            geninfo = comment[8:].decode("utf-16-be", errors="ignore")
    elif "comment" in items:
        comment = items["comment"]
        geninfo = comment.decode("utf-8", errors="ignore") if isinstance(comment, bytes) else comment
    for key in IGNORED_INFO_KEYS:
        items.pop(key, None)
    return geninfo, items


def image_data(data):
    return read_info_from_image(read(io.BytesIO(data)))[0], None


def flatten(img, bgcolor):
    if img.mode == "RGBA":
        below = Image.new("RGBA", img.size, bgcolor)
        below.paste(img, mask=img)
        img = below
    return img.convert("RGB")


def read(fp, **kwargs):
    return fix_image(Image.open(fp, **kwargs))


def fix_image(image):
    if image is None:
        return None
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "I;16"):
        image = Image.fromarray((np.asarray(image) / 257).astype(np.uint8))
    return image
