"""The family of a checkpoint from its header alone.

The fixtures hold key names and shapes published by other projects (each file names its source); the
expectations follow from what those files are, not from the rows under test.
"""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest

from lib_finisher import family_rules as module
from lib_finisher.family import Family
from lib_finisher.family_detection import Detected, detect, detect_header
from lib_finisher.model_header import read_header
from tests.model_files import FIXTURES, KNOWN, write_file, write_gguf

FLAT = [n for n in KNOWN if all(len(e.get("shape", ())) <= 4 for e in FIXTURES[n]["header"].values())]
LIMIT = 0.2  # seconds a file may take


def summary(found: Detected) -> dict[str, Any]:
    return {
        "family": found.family.value,
        "variants": list(found.variants),
        "prediction": found.prediction,
        "inpainting": found.inpainting,
        "ztsnr": found.ztsnr,
        "native_side": found.native_side,
    }


# -- published headers ------------------------------------------------------------------------------


def test_every_family_has_a_published_header() -> None:
    covered = {fixture["expected"]["family"] for fixture in FIXTURES.values()}
    assert covered == {family.value for family in Family}
    assert all(fixture["source"] and len(fixture["header"]) >= 9 for fixture in FIXTURES.values())


@pytest.mark.parametrize("name", FIXTURES)
def test_published_header(name: str) -> None:
    fixture = FIXTURES[name]
    found = detect_header(fixture["header"], fixture["file_name"])
    assert summary(found) == fixture["expected"]
    assert found.variant == (found.variants[0] if found.variants else "")
    assert found.reason and found.native_pixels == found.native_side**2
    if found.family is not Family.UNKNOWN:
        keys = [key.rstrip(".") for key in found.source_keys]
        assert keys and all(any(key.startswith(k) for key in fixture["header"]) for k in keys)


@pytest.mark.parametrize("name", FIXTURES)
def test_published_header_in_a_real_file(name: str, tmp_path: Path) -> None:
    fixture = FIXTURES[name]
    path = write_file(tmp_path / fixture["file_name"], fixture["header"])
    times = []
    for _ in range(3):
        start = time.perf_counter()
        found = detect(path)
        times.append(time.perf_counter() - start)
    assert summary(found) == fixture["expected"]
    assert min(times) < LIMIT


@pytest.mark.parametrize("prefix", module.PREFIXES)
def test_the_prefix_does_not_matter(prefix: str) -> None:
    for name in ("sd1_unet_only", "sdxl_diffusers", "flux_dev", "chroma", "qwen_image", "krea2", "hidream"):
        fixture = FIXTURES[name]
        moved = {prefix + key: entry for key, entry in fixture["header"].items()}
        assert summary(detect_header(moved, fixture["file_name"])) == fixture["expected"], name


@pytest.mark.parametrize("name", KNOWN)
def test_packed_weights_keep_their_family(name: str) -> None:
    """NF4 as bitsandbytes stores it: bytes [n, 1] with companions; every other tensor as before."""
    fixture = FIXTURES[name]
    packed: dict[str, Any] = {}
    for key, entry in fixture["header"].items():
        packed[key] = entry
        if key != "__metadata__" and key.endswith(".weight") and len(entry["shape"]) == 2:
            packed[key] = {"dtype": "U8", "shape": [max(1, entry["shape"][0] * entry["shape"][1] // 2), 1]}
            packed[f"{key}.absmax"] = {"dtype": "F32", "shape": [64]}
            packed[f"{key}.quant_state.bitsandbytes__nf4"] = {"dtype": "U8", "shape": [82]}
    assert detect_header(packed, fixture["file_name"]).family.value == fixture["expected"]["family"]


@pytest.mark.parametrize("name", FLAT)
def test_gguf(name: str, tmp_path: Path) -> None:
    fixture = FIXTURES[name]
    if fixture["expected"]["ztsnr"] or "__metadata__" in fixture["header"]:
        pytest.skip("markers of safetensors files")
    path = write_gguf(tmp_path / "model-Q4_0.gguf", fixture["header"], {"general.name": fixture["file_name"]})
    assert summary(detect(path)) == fixture["expected"]


def test_gguf_values_and_folded_tensors(tmp_path: Path) -> None:
    header = {k: dict(v) for k, v in FIXTURES["sd1_inpainting"]["header"].items()}
    key = "model.diffusion_model.input_blocks.0.0.weight"
    header[key]["shape"] = [45, 256]
    pairs = {"general.architecture": "sd1", f"comfy.gguf.orig_shape.{key}": [320, 9, 3, 3], "x.rate": 0.5}
    found = detect(write_gguf(tmp_path / "a.gguf", header, pairs, version=2))
    assert (found.family, found.inpainting) == (Family.SD1, True)


def test_a_full_header_is_quick(tmp_path: Path) -> None:
    header = dict(FIXTURES["sdxl_base"]["header"])
    for block in range(10):
        for part in range(260):
            key = f"model.diffusion_model.output_blocks.{block}.1.transformer_blocks.{part}.attn1.to_q.weight"
            header[key] = {"dtype": "F16", "shape": [1280, 1280]}
    path = write_file(tmp_path / "big.safetensors", header, real_sizes=False)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        assert detect(path).family is Family.SDXL
        times.append(time.perf_counter() - start)
    assert min(times) < LIMIT


def test_only_the_header_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_file(tmp_path / "model.safetensors", FIXTURES["flux_dev"]["header"])
    taken = []

    class Counting(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            data = super().read(-1 if size is None else size) or b""
            taken.append(len(data))
            return data

    monkeypatch.setattr("builtins.open", lambda file, mode="rb", buffering=-1: Counting(file))
    header = read_header(path)
    monkeypatch.undo()
    assert "img_in.weight" in header
    with path.open("rb") as file:
        assert sum(taken) == 8 + int.from_bytes(file.read(8), "little")


# -- facts ------------------------------------------------------------------------------------------


def test_facts_of_the_families() -> None:
    assert Family("sdxl") is Family.SDXL
    assert len({family.value for family in Family}) == len(list(Family))
    for family in Family:
        assert family.label and family.native_pixels == family.native_side**2
        assert family.native_side % 16 == 0 and family.latent_channels > 0
        assert family.multiple % family.least_multiple == 0 and family.least_multiple % family.latent_scale == 0
    assert [f.native_side for f in (Family.SD1, Family.SD2, Family.SDXL, Family.QWEN_IMAGE)] == [
        512,
        768,
        1024,
        1328,
    ]
    assert (Family.FLUX2.latent_channels, Family.FLUX2.latent_scale, Family.WAN_5B.latent_channels) == (
        128,
        16,
        48,
    )


def test_pixart_reads_its_size_from_the_positions() -> None:
    header = FIXTURES["pixart_sigma"]["header"]
    for count, side in ((1024, 512), (4096, 1024), (16384, 2048)):
        positions = {"dtype": "F32", "shape": [1, count, 1152]}
        assert detect_header({**header, "pos_embed": positions}).native_side == side


@pytest.mark.parametrize(
    ("stated", "side"),
    [
        ("1024x1024", 1024),
        ("512x512", 512),
        ("832x1216", 1005),
        ("100x100", 768),
        ("9999x9999", 768),
        ("big", 768),
    ],
)
def test_the_stated_resolution_is_used_when_sane(stated: str, side: int) -> None:
    header = {**FIXTURES["sd2_768"]["header"], "__metadata__": {"modelspec.resolution": stated}}
    assert detect_header(header).native_side == side


def marker(shape: int = 0) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [shape]}


@pytest.mark.parametrize(
    ("base", "extra", "metadata", "prediction", "ztsnr"),
    [
        ("sdxl_pony", {}, {}, None, False),
        ("sdxl_pony", {"v_pred": marker()}, {}, "v", False),
        ("sdxl_pony", {"ztsnr": marker()}, {}, None, True),
        ("sdxl_pony", {"edm_vpred.sigma_max": marker(1)}, {}, "v", False),
        ("sdxl_pony", {}, {"modelspec.prediction_type": "epsilon"}, "epsilon", False),
        ("sdxl_pony", {}, {"modelspec.prediction_type": "v"}, "v", False),
        ("sdxl_pony", {}, {"modelspec.prediction_type": "v_prediction"}, "v", False),
        ("sdxl_pony", {}, {"modelspec.prediction_type": "velvet"}, None, False),
        ("sdxl_pony", {"v_pred": marker()}, {"modelspec.prediction_type": "epsilon"}, "v", False),
        ("sd2_768", {}, {}, None, False),
        ("sd2_768", {}, {"modelspec.prediction_type": "v"}, "v", False),
        ("flux_dev", {}, {"modelspec.prediction_type": "epsilon"}, "flow", False),
    ],
)
def test_prediction(base: str, extra: Any, metadata: Any, prediction: str | None, ztsnr: bool) -> None:
    found = detect_header({**FIXTURES[base]["header"], **extra, "__metadata__": metadata}, "vPred.safetensors")
    assert (found.prediction, found.ztsnr) == (prediction, ztsnr)


# -- names ------------------------------------------------------------------------------------------

SDXL_NAMES = {
    "ponyDiffusionV6XL_v6StartWithThisOne.safetensors": ["pony"],
    "cyberrealisticPony_v120.safetensors": ["pony"],
    "prefectPonyXL_v3.safetensors": ["pony"],
    "autismmixSDXL_autismmixPony.safetensors": ["pony"],
    "ponyxl_fp16.safetensors": ["pony"],
    "Illustrious-XL-v1.0.safetensors": ["illustrious"],
    "illustriousXL_v01.safetensors": ["illustrious"],
    "waiNSFWIllustrious_v140.safetensors": ["illustrious"],
    "hassakuXLIllustrious_v21fix.safetensors": ["illustrious"],
    "noobaiXLNAIXL_epsilonPred11Version.safetensors": ["noobai"],
    "NoobAI-XL-v1.1.safetensors": ["noobai"],
    "animagine-xl-4.0-opt.safetensors": ["animagine"],
    "animagineXLV31_v31.safetensors": ["animagine"],
    "sd_xl_turbo_1.0_fp16.safetensors": ["turbo"],
    "DreamShaperXL_Turbo_v2_1.safetensors": ["turbo"],
    "dreamshaperXL_lightningDPMSDE.safetensors": ["lightning"],
    "juggernautXL_v9Rdphoto2Lightning.safetensors": ["lightning"],
    "Hyper-SDXL-1step-Unet.safetensors": ["hyper"],
    "epicrealismXL_v10Hyper.safetensors": ["hyper"],
    "LCM_SDXL.safetensors": ["lcm"],
    "waiIllustriousLightning.safetensors": ["illustrious", "lightning"],
    # traps: parts of other words, and words of other families
    "naive_v2.safetensors": [],
    "ponytail_girl.safetensors": [],
    "PonyTail_v1.safetensors": [],
    "pony-tails.safetensors": [],
    "turbographx.safetensors": [],
    "turbolence_v1.safetensors": [],
    "hyperrealism_v3.safetensors": [],
    "HyperRealism_v3.safetensors": [],
    "hyperion.safetensors": [],
    "lcmix_v1.safetensors": [],
    "illustrator_v2.safetensors": [],
    "noob_painter.safetensors": [],
    "database_512.safetensors": [],
    "kontext_krea_edit.safetensors": [],
    "inpainting_refiner_v_pred.safetensors": [],
    "": [],
    "モデル.safetensors": [],
}


@pytest.mark.parametrize("name", SDXL_NAMES)
def test_name_words_of_sdxl(name: str) -> None:
    header = {k: v for k, v in FIXTURES["sdxl_pony"]["header"].items() if k != "__metadata__"}
    found = detect_header(header, name)
    assert list(found.variants) == SDXL_NAMES[name]
    assert (found.family, found.inpainting, found.prediction) == (Family.SDXL, False, None)
    assert found.distilled == bool({"turbo", "lightning", "hyper", "lcm"} & set(SDXL_NAMES[name]))


@pytest.mark.parametrize(
    ("base", "name", "variants"),
    [
        ("flux_dev", "flux1-dev-kontext.safetensors", ("dev", "kontext")),
        ("flux_dev", "krea2_style.safetensors", ("dev", "krea")),
        ("flux_dev", "ponyish-pony.safetensors", ("dev",)),
        ("sd1_unet_only", "base.safetensors", ()),
        ("sd2_768", "sd2_base_512.safetensors", ("base",)),
        ("z_image_diffusers", "z_image_turbo_bf16.safetensors", ("turbo",)),
        ("flux_schnell", "flux1-schnell.safetensors", ("schnell",)),
        ("sd1_inpainting", "lcm-inpainting.safetensors", ("inpainting", "lcm")),
        ("unknown_vae_sd1", "pony_turbo.safetensors", ()),
    ],
)
def test_name_words_belong_to_families(base: str, name: str, variants: tuple[str, ...]) -> None:
    header = {k: v for k, v in FIXTURES[base]["header"].items() if k != "__metadata__"}
    assert detect_header(header, name).variants == variants


def test_the_title_in_the_metadata_counts_as_a_name() -> None:
    header = {**FIXTURES["sdxl_pony"]["header"], "__metadata__": {"modelspec.title": "Animagine XL 4.0"}}
    found = detect_header(header, "model.safetensors")
    assert found.variants == ("animagine",) and found.label == "SDXL (animagine)"


def test_nothing_at_all() -> None:
    assert detect_header({}).family is Family.UNKNOWN
    assert detect_header({"__metadata__": {"modelspec.title": "Pony"}}, "pony.safetensors").variants == ()


def test_one_telling_key_is_not_enough() -> None:
    for key in (
        "input_blocks.0.0.weight",
        "double_blocks.0.img_attn.proj.weight",
        "img_in.weight",
        "head.modulation",
    ):
        for prefix in module.PREFIXES:
            header = {prefix + key: {"dtype": "F16", "shape": [320, 4, 3, 3]}}
            assert detect_header(header).family is Family.UNKNOWN
