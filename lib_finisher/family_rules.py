"""By which tensor names and shapes a family is known: the rows that `family_detection` goes through, in order.

Quantised files keep their names but lose their shapes (bitsandbytes NF4: ``[n, 1]`` with ``.quant_map``
companions; NVFP4: packed bytes).  Such a shape counts as *open*: it neither proves nor refutes a row,
so rows lean on names, on convolutions and on 1-D weights, which no quantiser packs.  The rows restate
facts published by: [comfy] ComfyUI comfy/model_detection.py and supported_models.py; [hfg]
huggingface_guess detection.py and model_list.py, used by Forge; [neo] the same files in Forge Neo;
[reforge] ldm_patched/modules/supported_models.py; [swarm] SwarmUI T2IModelClassSorter.cs, also for the
native sizes; [diff] diffusers loaders/single_file_utils.py and models/.
"""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.family import Family


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
CONV_IN = "input_blocks.0.0.weight|conv_in.weight"  # [width, latent channels (+ extra), 3, 3], never packed
_ADM = "label_emb.0.0.weight|add_embedding.linear_1.weight|class_embedding.linear_1.weight"
_SIZED = "label_emb.0.0.|add_embedding.linear_1.|class_embedding.linear_1."
_W320, _A2816 = Dim(CONV_IN, 0, (320,), True), Dim(_ADM, 1, (2816,))
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
    Rule(_X, "", (CONV_IN, "input_blocks.1.0.|down_blocks.0."), "the x4 upscaler of SD 2",
         dims=(Dim(CONV_IN, 0, (256,), True),)),
    # -- UNets: width of the first convolution [320 or 384, channels, 3, 3], size input, attention depth
    Rule(_F.KOLORS, "", (CONV_IN, "add_embedding.linear_1.", "encoder_hid_proj."),
         "UNet with a ChatGLM projection, size input 5632 [forge, diff]", dims=(Dim(_ADM, 1, (5632,)),)),
    Rule(_F.SDXL, "refiner", (CONV_IN, _SIZED, "input_blocks.9.0.|down_blocks.3."),
         "UNet of width 384 with size input 2560 [hfg]",
         dims=(Dim(CONV_IN, 0, (384,), True), Dim(_ADM, 1, (2560,)))),
    Rule(_F.SDXL_FLUX2, "", (CONV_IN, _SIZED, _deep(9)), "SDXL UNet with 32 latent channels [neo, reforge]",
         dims=(_W320, Dim("out.2.weight|conv_out.weight", 0, (32,), True))),
    Rule(_F.SDXL, "", (CONV_IN, _SIZED, _deep(9)), "UNet with size input 2816, 10 deep blocks [hfg]",
         dims=(_W320, _A2816)),
    Rule(_F.SDXL, "ssd-1b", (CONV_IN, _SIZED, _deep(3)), "SDXL UNet cut to 4 deep blocks [hfg]",
         (_deep(4),), (_W320, _A2816)),
    Rule(_F.SDXL, "vega", (CONV_IN, _SIZED, _deep(1)), "SDXL UNet cut to 2 deep blocks [hfg]",
         (_deep(2),), (_W320, _A2816)),
    Rule(_F.SDXL, "koala", (CONV_IN, _SIZED, "input_blocks.5.1.transformer_blocks.4."
                            "|down_blocks.2.attentions.0.transformer_blocks.4."),
         "SDXL UNet with one block per level [hfg]", (_deep(0),), (_W320, _A2816)),
    Rule(_F.SD2, "unclip", (CONV_IN, _SIZED, _ATTN2), "SD 2 UNet with image input 1536 or 2048 [hfg]",
         dims=(_W320, Dim(_ADM, 1, (1536, 2048)))),
    Rule(_F.SD1, "", (CONV_IN, _ATTN2), "UNet with text width 768, convolutional projections [hfg]", (_SIZED,),
         (_W320, Dim(_TEXT, 1, (768,)), Dim(_PROJ, None, (4,), True))),
    Rule(_F.SD2, "", (CONV_IN, _ATTN2), "UNet with text width 1024, linear projections [hfg]", (_SIZED,),
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
UNETS, _XL, _FX = {_F.SD1, _F.SD2, _F.SDXL, _F.KOLORS}, {_F.SDXL}, {_F.FLUX}
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
