"""Variants of checkpoints: from published headers, from titles in the metadata, from names of files that are published.

What a name is expected to tell is what its publisher says the file is.
"""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import Any

import pytest

from lib_finisher.family_detection import detect_header
from lib_finisher.variants import look_at, variants_in, variants_of
from tests.model_files import FIXTURES, write_file, write_gguf

LIMIT = 0.2  # seconds a file may take
FEW = {"turbo", "lightning", "hyper", "lcm", "dmd", "schnell", "flash", "rapid", "tcd", "pcm"}

PUBLISHED: dict[str, tuple[str, ...]] = {
    "ponyDiffusionV6XL_v6StartWithThisOne.safetensors": ("pony",),
    "cyberrealisticPony_v85.safetensors": ("pony",),
    "autismmixSDXL_autismmixPony.safetensors": ("pony",),
    "ponyRealism_V22MainVAE.safetensors": ("pony",),
    "prefectPonyXL_v50.safetensors": ("pony",),
    "illustriousXL_v01.safetensors": ("illustrious",),
    "Illustrious-XL-v2.0.safetensors": ("illustrious",),
    "waiNSFWIllustrious_v140.safetensors": ("illustrious",),
    "hassakuXLIllustrious_v21.safetensors": ("illustrious",),
    "novaAnimeXL_ilV5b.safetensors": ("illustrious",),
    "noobaiXLNAIXL_vPred10Version.safetensors": ("noobai", "v-prediction"),
    "noobaiXLNAIXL_epsilonPred11Version.safetensors": ("noobai",),
    "NoobAI-XL-Vpred-v1.0.safetensors": ("noobai", "v-prediction"),
    "animagine-xl-3.1.safetensors": ("animagine",),
    "sd_xl_turbo_1.0_fp16.safetensors": ("turbo", "few-step"),
    "DreamShaperXL_Turbo_v2_1.safetensors": ("turbo", "few-step"),
    "dreamshaperXL_lightningDPMSDE.safetensors": ("lightning", "few-step"),
    "sdxl_lightning_4step.safetensors": ("lightning", "few-step"),
    "juggernautXL_v9Rdphoto2Lightning.safetensors": ("lightning", "few-step"),
    "realvisxlV50_v50LightningBakedvae.safetensors": ("lightning", "few-step"),
    "Juggernaut_X_RunDiffusion_Hyper.safetensors": ("hyper", "few-step"),
    "realisticVisionV60B1_v51HyperVAE.safetensors": ("hyper", "few-step"),
    "LCM_Dreamshaper_v7_4k.safetensors": ("lcm", "few-step"),
    "dmd2_sdxl_4step_unet_fp16.bin": ("dmd", "few-step"),
    "SDXL-Flash_Mini.safetensors": ("flash", "few-step"),
    "Chroma1-HD-Flash.safetensors": ("flash", "few-step"),
    "Qwen-Rapid-AIO-SFW-v5.safetensors": ("rapid", "few-step"),
    "tcd-sdxl-4stp.safetensors": ("tcd", "few-step"),
    "pcm_sdxl_smallcfg_2step.safetensors": ("pcm", "few-step"),
    "instaflow_0_9B.safetensors": ("few-step",),
    "nitrosd-realism.safetensors": ("few-step",),
    "sdxl-3steps.safetensors": ("few-step",),
    "RealVisXL_V4.0_inpainting.ckpt": ("inpainting",),
    "512-inpainting-ema.ckpt": ("inpainting",),
    "sd-v1-5-inpainting.ckpt": ("inpainting",),
    "sd_xl_refiner_1.0.ckpt": ("refiner",),
}
NOTHING = (
    "v1-5-pruned-emaonly.ckpt", "sd_xl_base_1.0.safetensors", "juggernautXL_juggXIByRundiffusion.safetensors",
    "realisticVisionV60B1_v51VAE.safetensors", "dreamshaper_8.safetensors", "AbyssOrangeMix3.safetensors",
    "revAnimated_v122.safetensors", "meinamix_meinaV11.safetensors", "deliberate_v2.safetensors",
)  # fmt: skip
LOOK_ALIKES = (
    "PonytailXL.safetensors", "ponytail-hair.safetensors", "my-little-pony-tails.safetensors", "naive_art.safetensors",
    "hyperrealism_v3.safetensors", "hyperRealism_v30.safetensors", "turboencabulator.safetensors",
    "illustrationMix.safetensors", "lightningbolt.safetensors", "refined_v10.safetensors", "noobie.safetensors",
    "admdata.safetensors", "inpainter.safetensors", "24steps_of_grey.safetensors",
    "flashlightMix_v2.safetensors", "flashback80s_v1.safetensors", "FlashPhotographyXL.safetensors",
    "rapidfirePhoto.safetensors", "RapidFirePhoto.safetensors", "mine-epoch8-step1200.safetensors",
)  # fmt: skip


def with_titles(fixture: str, **titles: str) -> dict[str, Any]:
    header = dict(FIXTURES[fixture]["header"])
    header["__metadata__"] = {**header.get("__metadata__", {}), **titles}
    return header


@pytest.mark.parametrize("name", FIXTURES)
def test_published_headers_keep_what_the_family_told_and_take_no_time(name: str, tmp_path: Path) -> None:
    fixture = FIXTURES[name]
    path = write_file(tmp_path / fixture["file_name"], fixture["header"])
    times = []
    for _ in range(3):
        start = time.perf_counter()
        seen = look_at(path)
        times.append(time.perf_counter() - start)
    expected = fixture["expected"]
    assert seen.family == ("" if expected["family"] == "unknown" else expected["family"])
    assert seen.native_side == expected["native_side"]
    assert min(times) < LIMIT
    told = set(seen.variants)
    assert set(expected["variants"]) <= told
    more = told - set(expected["variants"])
    assert more <= {"few-step", "v-prediction"}
    assert ("few-step" in told) == bool(FEW & told)
    if expected["family"] in ("sd1", "sd2", "sdxl"):
        assert ("v-prediction" in told) == (expected["prediction"] == "v")


@pytest.mark.parametrize(("name", "expected"), PUBLISHED.items())
def test_published_names(name: str, expected: tuple[str, ...]) -> None:
    assert variants_in(name) == expected


@pytest.mark.parametrize("name", [*NOTHING, *LOOK_ALIKES])
def test_other_names_tell_nothing(name: str) -> None:
    assert variants_in(name) == ()
    assert variants_in(name, "sdxl") == ()


def test_a_name_counts_only_for_families_that_know_the_variant() -> None:
    assert variants_in("ponyMix.safetensors", "sdxl") == ("pony",)
    assert variants_in("ponyMix.safetensors", "sd1") == ()
    assert variants_in("flux1-schnell.gguf", "flux") == ("schnell", "few-step")


def test_gguf_and_packed_files_tell_as_much(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "model-Q4_0.gguf", FIXTURES["flux_schnell"]["header"], {"general.name": "Some Turbo"})
    assert (look_at(file).family, look_at(file).variants) == ("flux", ("schnell", "turbo", "few-step"))
    packed = write_file(tmp_path / "flux1-dev-hyper-8steps-nf4.safetensors", FIXTURES["flux_dev_nf4"]["header"])
    assert (look_at(packed).family, look_at(packed).variants[0]) == ("flux", "dev")
    assert "few-step" in look_at(packed).variants


def test_titles_in_the_metadata_tell_as_the_name_does() -> None:
    for key in ("modelspec.title", "ss_sd_model_name"):
        header = with_titles("sdxl_base", **{key: "ponyDiffusionV6XL lightning"})
        found = detect_header(header, "mymodel.safetensors")
        assert variants_of(found, header, "mymodel.safetensors") == ("pony", "lightning", "few-step")


def test_what_tensors_settle_is_not_overruled_by_the_name() -> None:
    header = FIXTURES["sdxl_base"]["header"]
    found = detect_header(header, "sdxl_inpainting_refiner.safetensors")
    assert variants_of(found, header, "sdxl_inpainting_refiner.safetensors") == ()
    noted = with_titles("sdxl_base", **{"modelspec.prediction_type": "epsilon"})
    assert "v-prediction" not in variants_of(detect_header(noted, "x-vpred"), noted, "x-vpred")


def test_what_makes_a_model_quick_comes_last() -> None:
    assert variants_in("ponyXL_lightning_inpainting_vpred.ckpt") == (
        "inpainting", "pony", "v-prediction", "lightning", "few-step",
    )  # fmt: skip


BROKEN = {
    "cut.safetensors": struct.pack("<Q", 5000) + b'{"a": {"dtype": "F16"',
    "huge.safetensors": struct.pack("<Q", 2**63) + b"{}",
    "text.safetensors": struct.pack("<Q", 40) + b'{"model.diffusion_model.input_blocks": ]}',
    "empty_lightning.safetensors": b"",
    "pickled_lightning.ckpt": b"PK\x03\x04" + bytes(64),
    "list.safetensors": struct.pack("<Q", 2) + b"[]",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_told_quickly_and_their_names_still_count(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    start = time.perf_counter()
    seen = look_at(path)
    assert time.perf_counter() - start < LIMIT
    assert seen.family == "" and name in seen.reason
    assert seen.variants == (("lightning", "few-step") if "lightning" in name else ())


def test_a_header_of_a_hundred_megabytes_is_refused_quickly(tmp_path: Path) -> None:
    path = tmp_path / "big.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 100_000_000) + b"{" + b" " * 1000)
        file.truncate(100_000_008 + 1000)
    start = time.perf_counter()
    seen = look_at(path)
    assert time.perf_counter() - start < LIMIT
    assert seen.family == "" and "big.safetensors" in seen.reason


def test_long_metadata_is_read_in_time(tmp_path: Path) -> None:
    header = with_titles("sdxl_base", ss_tag_frequency="1girl, solo, " * 400_000)
    path = write_file(tmp_path / "trained_pony.safetensors", header)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        seen = look_at(path)
        times.append(time.perf_counter() - start)
    assert (seen.family, seen.variants) == ("sdxl", ("pony",))
    assert min(times) < LIMIT
