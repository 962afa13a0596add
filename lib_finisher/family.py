"""The families of picture models, and what follows from a family alone."""

from __future__ import annotations

from enum import Enum


class Family(Enum):
    """Picture model families of A1111 and the Forges; ``Family("sdxl")``: the values are stable ids.

    ``multiple`` is the canvas step the network wants, ``least_multiple`` the one hosts accept (a UNet
    takes 8 because they resize its skips); ``prediction`` is set where the architecture settles it;
    ``cfg_hint`` is the default of Forge Neo's modules_forge/presets.py, where it has one.
    """

    label: str
    native_side: int
    latent_channels: int
    latent_scale: int
    multiple: int
    least_multiple: int
    prediction: str | None
    cfg_hint: float | None

    def __new__(
        cls, value: str, label: str = "", side: int = 1024, channels: int = 16, scale: int = 8,
        multiple: int = 16, least: int = 16, prediction: str | None = "flow", cfg_hint: float | None = None,
    ) -> Family:  # fmt: skip
        """A member whose value is its id and whose other arguments are its attributes."""
        self = object.__new__(cls)
        self._value_ = value
        self.label, self.native_side, self.latent_channels, self.latent_scale = label, side, channels, scale
        self.multiple, self.least_multiple = multiple, least
        self.prediction, self.cfg_hint = prediction, cfg_hint
        return self

    # fmt: off
    SD1 = "sd1", "SD 1.x", 512, 4, 8, 64, 8, None, 6.0
    SD2 = "sd2", "SD 2.x", 768, 4, 8, 64, 8, None
    SDXL = "sdxl", "SDXL", 1024, 4, 8, 64, 8, None, 4.5
    SDXL_FLUX2 = "sdxl_flux2", "SDXL with the FLUX.2 VAE", 1024, 32, 8, 64, 8, None
    KOLORS = "kolors", "Kolors", 1024, 4, 8, 64, 8, None
    SD3 = "sd3", "SD 3 / 3.5"
    FLUX = "flux", "FLUX.1", 1024, 16, 8, 16, 16, "flow", 1.0
    FLUX2 = "flux2", "FLUX.2", 1024, 128, 16, 16, 16, "flow", 1.0
    CHROMA = "chroma", "Chroma"
    AURAFLOW = "auraflow", "AuraFlow", 1024, 4
    PIXART = "pixart", "PixArt", 1024, 4, 8, 16, 16, "epsilon"
    HUNYUAN_DIT = "hunyuan_dit", "Hunyuan-DiT", 1024, 4, 8, 16, 16, "v"
    LUMINA2 = "lumina2", "Lumina 2", 1024, 16, 8, 16, 16, "flow", 4.0
    Z_IMAGE = "z_image", "Z-Image"
    QWEN_IMAGE = "qwen_image", "Qwen-Image", 1328
    QWEN_IMAGE_21 = "qwen_image_21", "Qwen-Image 2.1", 1328, 64, 16
    WAN = "wan", "Wan", 960
    WAN_5B = "wan_5b", "Wan 2.2 5B", 960, 48, 16, 32, 32
    ANIMA = "anima", "Anima"
    COSMOS2 = "cosmos2", "Cosmos Predict2"
    KREA2 = "krea2", "Krea 2"
    ERNIE = "ernie", "ERNIE-Image", 1024, 128, 16
    HIDREAM = "hidream", "HiDream"
    OMNIGEN2 = "omnigen2", "OmniGen 2"
    UNKNOWN = "unknown", "unknown model", 1024, 4, 8, 64, 8, None
    # fmt: on

    @property
    def native_pixels(self) -> int:
        """The area that the model was trained at, in pixels."""
        return self.native_side * self.native_side
