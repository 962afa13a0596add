"""Resizing float pictures without leaving float."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lib_finisher.imaging.geometry import Size, size_of

_FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
}


def resize(pixels: npt.NDArray[Any], size: Size, method: str = "lanczos") -> npt.NDArray[np.float32]:
    """Resize an array (height, width) or (height, width, channels) of any float range to `size`.

    `method` is "lanczos" (antialiased, may overshoot slightly), "bilinear" or "area".
    """
    if size_of(pixels) == size:
        return pixels.astype(np.float32, copy=True)
    if pixels.ndim == 2:
        return _plane(pixels, size, method)
    return np.stack([_plane(pixels[..., index], size, method) for index in range(pixels.shape[2])], axis=-1)


def _plane(plane: npt.NDArray[Any], size: Size, method: str) -> npt.NDArray[np.float32]:
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    resized = image.resize((size.width, size.height), _FILTERS[method])
    return np.asarray(resized, dtype=np.float32)
