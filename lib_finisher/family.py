"""Which family of picture model a checkpoint file belongs to, from its header alone (never a tensor).

``detect(path)`` reads the JSON header of a ``.safetensors`` file (8 length bytes and the JSON) or the
tables at the front of a ``.gguf`` file, and matches tensor *names* and *shapes* against ``RULES``, in
order; the first row that holds wins.  Shapes are torch order, ``(out, in, ...)``.

Quantised files keep their names but lose their shapes (bitsandbytes NF4: ``[n, 1]`` with ``.quant_map``
companions; NVFP4: packed bytes).  Such a shape counts as *open*: it neither proves nor refutes a row,
so rows lean on names, on convolutions and on 1-D weights, which no quantiser packs.  The rows restate
facts published by: [comfy] ComfyUI comfy/model_detection.py and supported_models.py; [hfg]
huggingface_guess detection.py and model_list.py, used by Forge; [neo] the same files in Forge Neo;
[reforge] ldm_patched/modules/supported_models.py; [swarm] SwarmUI T2IModelClassSorter.cs, also for the
native sizes; [diff] diffusers loaders/single_file_utils.py and models/.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import isqrt
from typing import Any

from lib_finisher.model_header import HeaderError, read_header

Shape = tuple[int, ...]


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


@dataclass(frozen=True)
class Dim:
    """A shape test: one of ``values`` on ``axis`` of the first tensor found (``axis=None``: its rank).

    An absent or packed tensor leaves it open, which passes unless the test must be ``sure``.
    """

    key: str
    axis: int | None
    values: tuple[int, ...]
    sure: bool = False


@dataclass(frozen=True)
class Rule:
    """One row: all ``needs`` present, none of ``absent``, no ``dims`` refuted.

    A key pattern is ``a|b`` (either will do); an alternative ending in ``.`` means any key below it.
    """

    family: Family
    variant: str
    needs: tuple[str, ...]
    why: str
    absent: tuple[str, ...] = ()
    dims: tuple[Dim, ...] = ()


def _deep(n: int) -> str:
    """Transformer block ``n`` in the deepest attention of an SDXL-like UNet."""
    return f"input_blocks.8.1.transformer_blocks.{n}.|down_blocks.2.attentions.1.transformer_blocks.{n}."


def _first(end: str) -> str:
    """A key of the first attention of an SD 1 or SD 2 UNet."""
    return f"input_blocks.1.1.{end}|input_blocks.2.1.{end}|down_blocks.0.attentions.0.{end}"


# fmt: off
_F, _X = Family, Family.UNKNOWN
_IN = "input_blocks.0.0.weight|conv_in.weight"  # [width, latent channels (+ extra), 3, 3], never packed
_ADM = "label_emb.0.0.weight|add_embedding.linear_1.weight|class_embedding.linear_1.weight"
_SIZED = "label_emb.0.0.|add_embedding.linear_1.|class_embedding.linear_1."
_W320, _A2816 = Dim(_IN, 0, (320,), True), Dim(_ADM, 1, (2816,))
_ATTN2, _TEXT = _first("transformer_blocks.0.attn2."), _first("transformer_blocks.0.attn2.to_k.weight")
_PROJ = _first("proj_in.weight")
_MOD2 = "double_stream_modulation_img.lin.weight|double_stream_modulation_img.linear.weight"
_GUIDE = "guidance_in.|time_text_embed.guidance_embedder."
_FLUX = ("double_blocks.0.img_attn.", "vector_in.")
_FLUX_D = ("single_transformer_blocks.0.", "transformer_blocks.0.", "time_text_embed.", "context_embedder.")
_SD3_D = ("transformer_blocks.0.attn.add_k_proj.", "time_text_embed.text_embedder.", "pos_embed.proj.")
_NEXT = ("cap_embedder.1.", "noise_refiner.0.|layers.0.attention.to_out.0.", "layers.0.")
_NEXT_W = "layers.0.attention_norm1.weight|noise_refiner.0.attention_norm1.weight|cap_embedder.1.bias"
_WAN = ("head.modulation|condition_embedder.text_embedder.", "patch_embedding.", "blocks.0.")
_WAN_W = "head.modulation|scale_shift_table"

RULES: tuple[Rule, ...] = (
    # -- look-alikes that are nothing to finish with [swarm, comfy, diff]
    Rule(_X, "", ("control_model.|input_hint_block.0.|zero_convs.0.0.|controlnet_cond_embedding."
                  "|controlnet_blocks.0.|controlnet_down_blocks.0.|controlnet_x_embedder.|control_layers.0.",),
         "a ControlNet"),
    Rule(_X, "", ("lq_proj.latent_proj.",), "PiD, a pixel-space upscaling decoder"),
    Rule(_X, "", ("nerf_blocks.0.|nerf_image_embedder.|dec_net.",), "a pixel-space model without latents"),
    Rule(_X, "", ("clf.1.", "clip_txt_mapper.|clip_mapper."),
         "Stable Cascade, whose latents no stage handles"),
    Rule(_X, "", ("txt_in.individual_token_refiner.",), "a Hunyuan video or Hunyuan-Image 2.1 model"),
    Rule(_X, "", ("patchify_proj.", "transformer_blocks.0."), "LTX-Video, a video model"),
    Rule(_X, "", ("blocks.0.attn.qkv_x.|blocks.0.attn.k_norm_x.",), "Mochi, a video model"),
    Rule(_X, "", ("input_blocks.1.0.time_stack.|down_blocks.0.resnets.0.temporal_res_block.",),
         "Stable Video Diffusion, a video model"),
    Rule(_X, "", (_IN, "input_blocks.1.0.|down_blocks.0."), "the x4 upscaler of SD 2",
         dims=(Dim(_IN, 0, (256,), True),)),
    # -- UNets: width of the first convolution [320 or 384, channels, 3, 3], size input, attention depth
    Rule(_F.KOLORS, "", (_IN, "add_embedding.linear_1.", "encoder_hid_proj."),
         "UNet with a ChatGLM projection, size input 5632 [forge, diff]", dims=(Dim(_ADM, 1, (5632,)),)),
    Rule(_F.SDXL, "refiner", (_IN, _SIZED, "input_blocks.9.0.|down_blocks.3."),
         "UNet of width 384 with size input 2560 [hfg]",
         dims=(Dim(_IN, 0, (384,), True), Dim(_ADM, 1, (2560,)))),
    Rule(_F.SDXL_FLUX2, "", (_IN, _SIZED, _deep(9)), "SDXL UNet with 32 latent channels [neo, reforge]",
         dims=(_W320, Dim("out.2.weight|conv_out.weight", 0, (32,), True))),
    Rule(_F.SDXL, "", (_IN, _SIZED, _deep(9)), "UNet with size input 2816, 10 deep blocks [hfg]",
         dims=(_W320, _A2816)),
    Rule(_F.SDXL, "ssd-1b", (_IN, _SIZED, _deep(3)), "SDXL UNet cut to 4 deep blocks [hfg]",
         (_deep(4),), (_W320, _A2816)),
    Rule(_F.SDXL, "vega", (_IN, _SIZED, _deep(1)), "SDXL UNet cut to 2 deep blocks [hfg]",
         (_deep(2),), (_W320, _A2816)),
    Rule(_F.SDXL, "koala", (_IN, _SIZED, "input_blocks.5.1.transformer_blocks.4."
                            "|down_blocks.2.attentions.0.transformer_blocks.4."),
         "SDXL UNet with one block per level [hfg]", (_deep(0),), (_W320, _A2816)),
    Rule(_F.SD2, "unclip", (_IN, _SIZED, _ATTN2), "SD 2 UNet with image input 1536 or 2048 [hfg]",
         dims=(_W320, Dim(_ADM, 1, (1536, 2048)))),
    Rule(_F.SD1, "", (_IN, _ATTN2), "UNet with text width 768, convolutional projections [hfg]", (_SIZED,),
         (_W320, Dim(_TEXT, 1, (768,)), Dim(_PROJ, None, (4,), True))),
    Rule(_F.SD2, "", (_IN, _ATTN2), "UNet with text width 1024, linear projections [hfg]", (_SIZED,),
         (_W320, Dim(_TEXT, 1, (1024,)), Dim(_PROJ, None, (2,)))),
    # -- transformers
    Rule(_F.FLUX2, "dev", (_MOD2,), "shared modulation [36864, 6144] [swarm]",
         dims=(Dim(_MOD2, 0, (36864,), True),)),
    Rule(_F.FLUX2, "klein-9b", (_MOD2,), "shared modulation [24576, 4096] [neo]",
         dims=(Dim(_MOD2, 0, (24576,), True),)),
    Rule(_F.FLUX2, "klein-4b", (_MOD2,), "shared modulation [18432, 3072] [neo]",
         dims=(Dim(_MOD2, 0, (18432,), True),)),
    Rule(_F.FLUX2, "", ("double_stream_modulation_img.", "single_stream_modulation."),
         "shared modulation [neo]"),
    Rule(_F.CHROMA, "", ("distilled_guidance_layer.", "double_blocks.0.|transformer_blocks.0."),
         "distilled guidance layer [neo, reforge]"),
    Rule(_F.FLUX, "dev", (*_FLUX, _GUIDE), "double blocks, guidance input [hfg]"),
    Rule(_F.FLUX, "schnell", _FLUX, "double blocks, no guidance input [hfg]"),
    Rule(_F.FLUX, "dev", (*_FLUX_D, _GUIDE), "diffusers or Nunchaku names, guidance input [neo, diff]"),
    Rule(_F.FLUX, "schnell", _FLUX_D, "diffusers or Nunchaku names, no guidance input [neo, diff]"),
    Rule(_F.SD3, "3.5-large", ("joint_blocks.0.x_block.", "joint_blocks.37."), "38 joint blocks [diff]"),
    Rule(_F.SD3, "3.5-medium", ("joint_blocks.0.x_block.attn2.",), "joint blocks, second attention [comfy]"),
    Rule(_F.SD3, "3-medium", ("joint_blocks.0.x_block.",), "joint blocks [hfg]",
         ("joint_blocks.0.context_block.attn.ln_q.",)),
    Rule(_F.SD3, "3.5", ("joint_blocks.0.x_block.",), "joint blocks, normalised attention [hfg]"),
    Rule(_F.SD3, "3.5-large", (*_SD3_D, "transformer_blocks.37."), "diffusers names, 38 blocks [diff]"),
    Rule(_F.SD3, "3.5-medium", (*_SD3_D, "transformer_blocks.0.attn2."), "diffusers names [diff]"),
    Rule(_F.SD3, "3-medium", _SD3_D, "diffusers names [diff]"),
    Rule(_F.AURAFLOW, "",
         ("double_layers.0.attn.|joint_transformer_blocks.0.", "cond_seq_linear.|time_step_proj."),
         "double and single layers, one text input [hfg, diff]"),
    Rule(_F.HUNYUAN_DIT, "", ("mlp_t5.0.", "pooler."), "two text inputs with a pooler [hfg]"),
    Rule(_F.HUNYUAN_DIT, "", ("time_extra_emb.", "text_embedder.linear_1.", "blocks.0."),
         "diffusers names [diff]"),
    Rule(_F.PIXART, "alpha", ("t_block.1.", "y_embedder.y_proj.", "ar_embedder."),
         "time block, size inputs [comfy]"),
    Rule(_F.PIXART, "sigma", ("t_block.1.", "y_embedder.y_proj."), "time block, no size inputs [comfy]"),
    Rule(_F.PIXART, "", ("adaln_single.emb.", "pos_embed.proj.", "caption_projection.linear_1."),
         "diffusers names [comfy, diff]"),
    Rule(_F.OMNIGEN2, "", ("time_caption_embed.", "ref_image_patch_embedder."),
         "reference image input [comfy]"),
    Rule(_F.Z_IMAGE, "", _NEXT, "next-DiT of width 3840 [neo]", dims=(Dim(_NEXT_W, 0, (3840,), True),)),
    Rule(_F.LUMINA2, "", _NEXT, "next-DiT of width 2304 [neo]", dims=(Dim(_NEXT_W, 0, (2304,), True),)),
    Rule(_F.LUMINA2, "", ("time_caption_embed.caption_embedder.", "noise_refiner.0.", "norm_out.linear_1."),
         "diffusers names, width 2304 [diff]", dims=(Dim("x_embedder.bias", 0, (2304,)),)),
    Rule(_F.QWEN_IMAGE_21, "", ("txt_in.text_norm.", "img_in.", "transformer_blocks.0."),
         "text projection [neo]"),
    Rule(_F.QWEN_IMAGE, "", ("txt_norm.", "img_in.", "transformer_blocks.0.attn."),
         "text norm of width 3584 [neo, swarm]", dims=(Dim("txt_norm.weight", 0, (3584,)),)),
    Rule(_F.WAN, "1.3b", _WAN, "width 1536 [neo, swarm]", dims=(Dim(_WAN_W, -1, (1536,), True),)),
    Rule(_F.WAN_5B, "", _WAN, "width 3072 [neo, swarm]", dims=(Dim(_WAN_W, -1, (3072,), True),)),
    Rule(_F.WAN, "14b-i2v", (*_WAN, "img_emb.|condition_embedder.image_embedder."), "picture input [neo]"),
    Rule(_F.WAN, "14b-i2v", _WAN, "36 input channels [neo]",
         dims=(Dim("patch_embedding.weight", 1, (36,), True),)),
    Rule(_F.WAN, "14b", _WAN, "width 5120 [neo, swarm]", dims=(Dim(_WAN_W, -1, (5120,)),)),
    Rule(_F.ANIMA, "", ("llm_adapter.blocks.0.", "blocks.0.adaln_modulation_cross_attn."),
         "text adapter [neo]"),
    Rule(_F.COSMOS2, "", ("blocks.0.adaln_modulation_cross_attn.", "x_embedder.proj.1."),
         "Cosmos blocks [comfy]"),
    Rule(_F.COSMOS2, "", ("patch_embed.proj.", "time_embed.t_embedder.", "transformer_blocks.0.norm1."),
         "diffusers names [diff, swarm]"),
    Rule(_F.KREA2, "", ("txtfusion.projector.", "first.", "blocks.0."), "fusion of text layers [neo, swarm]"),
    Rule(_F.KREA2, "", ("text_fusion.projector.", "img_in.", "transformer_blocks.0."),
         "diffusers names [diff]"),
    Rule(_F.ERNIE, "", ("layers.0.mlp.linear_fc2.", "x_embedder.proj.", "layers.0.adaLN_sa_ln."),
         "layers [neo, swarm]"),
    Rule(_F.HIDREAM, "", ("caption_projection.0.linear.", "double_stream_blocks.0."),
         "expert streams [comfy]"),
)
#: Rows for parts of a model, asked only of bare names when nothing above holds.
PARTS: tuple[Rule, ...] = (
    Rule(_X, "", ("decoder.conv_in.|decoder.conv1.|first_stage_model.",), "a VAE without a denoiser"),
    Rule(_X, "",
         ("text_model.encoder.|encoder.block.0.|model.layers.0.|layers.0.self_attn.|cond_stage_model.",),
         "a text encoder without a denoiser"),
    Rule(_X, "", ("emb_params|string_to_param.|clip_g|clip_l",), "a text embedding"),
)
#: Where files keep the denoiser, tried in this order.
PREFIXES = (
    "model.diffusion_model.", "diffusion_model.", "model.model.", "net.", "transformer.", "unet.", "model.",
    "",
)
#: Input channels of the first layer -> variant: UNets [hfg]; FLUX.1 Fill and Depth/Canny [swarm].
INPUTS = {9: "inpainting", 8: "pix2pix", 5: "depth"}
FLUX_INPUTS = {384: "inpainting", 128: "control"}
#: Native side where a variant differs from its family [swarm].
SIDES = {(_F.SD2, "base"): 512, (_F.SD2, "inpainting"): 512, (_F.SD2, "depth"): 512, (_F.WAN, "1.3b"): 640}
_UNETS, _XL, _FX = {_F.SD1, _F.SD2, _F.SDXL, _F.KOLORS}, {_F.SDXL}, {_F.FLUX}
#: (variant, words of the file name or title, families it can apply to or None).  ``_words`` splits at
#: punctuation, camel humps and digits, so "naive" or "ponytail" never yields a variant.
NAMES: tuple[tuple[str, str, set[Family] | None], ...] = (
    ("pony", r"pony(?:xl)?(?! tails?\b)", _XL | {_F.AURAFLOW}),
    ("illustrious", r"illustrious(?:xl)?", _XL),
    ("noobai", r"noob ?ai(?:xl)?", _XL),
    ("animagine", r"animagine(?:xl)?", _XL),
    ("kontext", r"kontext", _FX),
    ("krea", r"krea", _FX),
    ("edit", r"edit", {_F.QWEN_IMAGE}),
    ("base", r"(?:512|base)", {_F.SD2}),
    ("turbo", r"turbo", None),
    ("lightning", r"lightning", None),
    ("hyper", r"hyper(?=$| (?:\||sd|sdxl|xl|flux|\d+|steps?|v|fp|bf|baked|pruned|ema|nf)(?: |$))", None),
    ("lcm", r"lcm", None),
)
# fmt: on
DISTILLED = frozenset({"turbo", "lightning", "hyper", "lcm", "schnell"})
_ADAPTER = re.compile(
    r"^lora_(?:unet|te\d?|transformer)_|\.(?:lora_(?:up|down|A|B)(?:\.\w+)?\.weight|lora\.(?:up|down)\.weight"
    r"|lokr_w[12]\w*|hada_w[12]_[ab]|diff(?:_b)?)$"
)


@dataclass(frozen=True)
class Detected:
    """What the header says.

    ``variants`` holds all that apply, structural ones first, and ``variant`` the first of them or "".
    ``prediction`` is "epsilon", "v", "flow", or None where the header is silent (SD 2 keeps it in its
    config file).  ``source_keys`` are the names that decided; ``native_side`` is this file's own.
    """

    family: Family
    variant: str = ""
    prediction: str | None = None
    inpainting: bool = False
    reason: str = ""
    source_keys: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    ztsnr: bool = False
    native_side: int = Family.UNKNOWN.native_side

    @property
    def native_pixels(self) -> int:
        """The area that the model was trained at, in pixels."""
        return self.native_side * self.native_side

    @property
    def distilled(self) -> bool:
        """Whether it is a few-step model, by its keys or its name."""
        return not DISTILLED.isdisjoint(self.variants)

    @property
    def label(self) -> str:
        """Family and variants, for people."""
        return self.family.label + (f" ({', '.join(self.variants)})" if self.variants else "")


class _View:
    """The key names below one prefix, their usable shapes (None where packed), and every dotted stem."""

    def __init__(self, header: Mapping[str, Any], prefix: str) -> None:
        self.shapes: dict[str, Shape | None] = {}
        self.stems: set[str] = set()
        for key, entry in header.items():
            if isinstance(key, str) and key.startswith(prefix) and key != "__metadata__":
                packed = f"{key}.quant_map" in header or f"{key}.absmax" in header
                bare = key[len(prefix) :]
                self.shapes[bare] = None if packed else _shape(entry)
                at = bare.rfind(".")
                while at > 0 and (stem := bare[: at + 1]) not in self.stems:
                    self.stems.add(stem)
                    at = bare.rfind(".", 0, at)

    def find(self, pattern: str) -> str | None:
        return next((p for p in pattern.split("|") if p in self.shapes or p in self.stems), None)

    def size(self, pattern: str, axis: int | None) -> int | None:
        for key in pattern.split("|"):
            shape = self.shapes.get(key)
            if shape and (axis is None or -len(shape) <= axis < len(shape)):
                return len(shape) if axis is None else shape[axis]
        return None

    def match(self, rule: Rule) -> tuple[str, ...] | None:
        """The keys that satisfy the row, or None."""
        found = tuple(key for key in map(self.find, rule.needs) if key)
        if len(found) < len(rule.needs) or any(self.find(p) for p in rule.absent):
            return None
        sizes = [(dim, self.size(dim.key, dim.axis)) for dim in rule.dims]
        return found if all(n in dim.values or (n is None and not dim.sure) for dim, n in sizes) else None


def _shape(entry: object) -> Shape | None:
    """The torch shape of a header entry, or None when it is malformed or packed (bytes, GPTQ words)."""
    if not isinstance(entry, Mapping) or entry.get("dtype") in ("U8", "I32"):
        return None
    dims = entry.get("shape")
    good = isinstance(dims, (list, tuple)) and all(type(d) is int and d >= 0 for d in dims)
    return tuple(dims) if good and dims is not None else None


def detect(path: str | os.PathLike[str]) -> Detected:
    """The family of the model file at ``path``; raises ``HeaderError`` when its header is unreadable."""
    return detect_header(read_header(path), os.path.basename(os.fspath(path)))


def detect_header(header: Mapping[str, Any], name: str = "") -> Detected:
    """The family of a header, {key: {"dtype", "shape", ...}, "__metadata__": {...}}, of a file ``name``."""
    if not isinstance(header, Mapping):
        raise HeaderError(f"{name or 'header'}: not a table of tensors. Pass what read_header returned.")
    lora = next((k for k in header if isinstance(k, str) and _ADAPTER.search(k)), None)
    if lora is not None:
        return Detected(_X, reason="a LoRA or other adapter, not a checkpoint", source_keys=(lora,))
    view = _View({}, "")
    for prefix in PREFIXES:
        view = _View(header, prefix)
        for rule in RULES if view.shapes else ():
            if (keys := view.match(rule)) is not None:
                return _describe(rule, view, tuple(prefix + k for k in keys), header, name)
    for rule in PARTS if not view.find(PREFIXES[0]) else ():
        if (keys := view.match(rule)) is not None:
            return Detected(_X, reason=rule.why, source_keys=keys)
    return Detected(_X, reason="no row knows these tensor names")


def _describe(rule: Rule, view: _View, keys: tuple[str, ...], header: Mapping[str, Any], name: str) -> Detected:
    """Fill in what the matched row leaves open: extra inputs, words of the name, prediction, size."""
    family, raw = rule.family, header.get("__metadata__")
    if family is _X:
        return Detected(_X, reason=rule.why, source_keys=keys)
    why = re.sub(r" \[[a-z, ]+\]$", "", rule.why)
    meta = {k: v for k, v in raw.items() if isinstance(v, str)} if isinstance(raw, Mapping) else {}
    extra = INPUTS.get(view.size(_IN, 1) or 0, "") if family in _UNETS else ""
    if family is _F.FLUX:
        extra = FLUX_INPUTS.get(view.size("img_in.weight|x_embedder.weight", 1) or 0, "")
    mark = "playground" if family is _F.SDXL and "edm_mean" in header else ""
    titles = (os.path.splitext(name)[0], meta.get("modelspec.title", ""), meta.get("general.name", ""))
    words = " | ".join(map(_words, titles))
    fitting = [(v, rx) for v, rx, only in NAMES if only is None or family in only]
    named = [v for v, rx in fitting if re.search(rf"(?<!\S){rx}(?!\S)", words)]
    variants = tuple(dict.fromkeys(v for v in (rule.variant, extra, mark, *named) if v))
    prediction = family.prediction
    if prediction is None:
        said = _words(meta.get("modelspec.prediction_type", "")).split(" ")[0]
        marked = "v_pred" in header or "edm_vpred.sigma_max" in header
        prediction = "v" if marked else said if said in ("epsilon", "v") else None
    side = next((SIDES[family, v] for v in variants if (family, v) in SIDES), family.native_side)
    if family is _F.PIXART:  # pos_embed [1, n, 1152]: one position for each 16 x 16 pixels
        side = isqrt(view.size("pos_embed", 1) or 0) * 16 or side
    size = re.fullmatch(r"(\d{3,4})x(\d{3,4})", meta.get("modelspec.resolution", ""))
    if size and 256 <= (stated := isqrt(int(size[1]) * int(size[2]))) <= 4096:
        side = stated
    first = variants[0] if variants else ""
    inpainting, ztsnr = extra == "inpainting", "ztsnr" in header
    return Detected(family, first, prediction, inpainting, why, keys, variants, ztsnr, side)


def _words(text: str) -> str:
    """``text`` as lower-case words: split at punctuation, camel humps and digits."""
    return " ".join(re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", text)).lower()
