"""An extension for tests only: upscalers that lose their picture as the host's own do in half precision.

`2x-nan` makes nothing but values that are not numbers, `2x-hole` one of them, and `2x-tile` loses one tile without a
word. All are rounded to 8 bits as the host rounds what its models make, which leaves black.
"""

import numpy as np
from modules import script_callbacks, shared, upscaler
from PIL import Image


class Broken(upscaler.Upscaler):
    """One way to lose a picture."""

    name = "Broken"

    def __init__(self, lose):
        super().__init__(False)
        self.lose = lose

    def do_upscale(self, img, selected_model=None):
        bigger = img.resize((img.width * 2, img.height * 2), resample=Image.Resampling.LANCZOS)
        made = np.asarray(bigger, dtype=np.float32) / 255
        return Image.fromarray((self.lose(made) * 255).round().astype(np.uint8))


def everything(made):
    return made * np.float32("nan")


def one_value(made):
    made[20, 30, 1] = np.nan
    return made


def one_tile(made):
    made[-96:, -96:] = 0
    return made


def offer(*_):
    """After the host has made its list."""
    shared.sd_upscalers += [
        upscaler.UpscalerData(name, __file__, Broken(lose), scale=2)
        for name, lose in (("2x-nan", everything), ("2x-hole", one_value), ("2x-tile", one_tile))
    ]


script_callbacks.on_app_started(offer)
