"""Upscalers: None, Lanczos, Nearest, and a "model" with a file that sharpens what it enlarges."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from PIL import Image, ImageFilter

from modules import paths_internal, shared

LANCZOS, NEAREST = Image.Resampling.LANCZOS, Image.Resampling.NEAREST


class Upscaler:
    name = model_path = model_name = model_url = filter = model = user_path = None
    enable = tile = True
    scalers: list

    def __init__(self, create_dirs=False):
        self.mod_pad_h = self.img = self.output = self.mod_scale = self.model_download_path = None
        self.tile_size, self.tile_pad, self.scale, self.pre_pad = shared.opts.ESRGAN_tile, 8, 1, 0
        self.device, self.half, self.can_tile = shared.device, False, True

    @abstractmethod
    def do_upscale(self, img, selected_model):
        return img

    def upscale(self, img, scale, selected_model=None):
        self.scale = scale
        wide, high = (int(side * scale) // 8 * 8 for side in img.size)
        for turn in range(3):
            if img.width >= wide and img.height >= high and (turn > 0 or scale != 1):
                break
            if shared.state.interrupted:
                break
            before, img = img.size, self.do_upscale(img, selected_model)
            if img.size == before:
                break
        return img if img.size == (wide, high) else img.resize((wide, high), resample=LANCZOS)

    def load_model(self, path):
        pass

    def find_models(self, ext_filter=None):
        return []

    def update_status(self, prompt):
        pass


class UpscalerData:
    name = data_path = scaler = model = None
    scale: int = 4

    def __init__(self, name, path, upscaler=None, scale=4, model=None):
        self.name, self.data_path, self.local_data_path = name, path, path
        self.scaler, self.scale, self.model = upscaler, scale, model


class UpscalerNone(Upscaler):
    name = "None"

    def __init__(self, dirname=None):
        super().__init__(False)
        self.scalers = [UpscalerData("None", None, self)]

    def do_upscale(self, img, selected_model=None):
        return img


class _Resampled(Upscaler):
    resample = LANCZOS

    def __init__(self, dirname=None):
        super().__init__(False)
        self.scalers = [UpscalerData(self.name, None, self)]

    def do_upscale(self, img, selected_model=None):
        return img.resize((int(img.width * self.scale), int(img.height * self.scale)), resample=self.resample)


class UpscalerLanczos(_Resampled):
    name = "Lanczos"


class UpscalerNearest(_Resampled):
    name, resample = "Nearest", NEAREST


class UpscalerFile(Upscaler):
    """Has a file, as extensions expect of a model; the file itself says nothing."""

    name = "ESRGAN"

    def __init__(self, dirname=None):
        super().__init__(True)
        self.model_path = str(Path(paths_internal.models_path) / "ESRGAN")
        file = Path(self.model_path) / "2x-standin.pth"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        self.scalers = [UpscalerData(file.stem, str(file), self, scale=2)]

    def do_upscale(self, img, selected_model=None):
        if shared.state.interrupted:
            return img
        bigger = img.resize((img.width * 2, img.height * 2), resample=LANCZOS)
        return bigger.filter(ImageFilter.UnsharpMask(1.5, 60, 0))


def load_upscalers():
    kinds = (UpscalerNone, UpscalerLanczos, UpscalerNearest, UpscalerFile)
    shared.sd_upscalers = [item for kind in kinds for item in kind().scalers]
