"""LoRA and embeddings that do not fit the checkpoint of a stage: by headers as trainers write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import HostError, ModelFacts, NetworkFacts, Sampling
from lib_finisher.imaging.geometry import Box, Size
from lib_finisher.model_header import read_header
from lib_finisher.redraw.act import redraw
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.redraw.networks import SDXL_REFINER, embedding_family, lora_family, misfits, vector_family
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import Patch, Request, everywhere
from tests.conftest import Onward
from tests.model_files import write_file

FOLDER = Path(__file__).resolve().parents[1] / "facts" / "families"


def published(name: str) -> dict[str, Any]:
    header: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))["header"]
    return header


def tensor(*shape: int) -> dict[str, Any]:
    return {"dtype": "F16", "shape": list(shape)}


def lora_for(checkpoint: str, form: str) -> dict[str, Any]:
    """A LoRA on the text attention of a published checkpoint, named as one of the trainers names it."""
    key, entry = next((key, entry) for key, entry in published(checkpoint).items() if key.endswith("attn2.to_k.weight"))
    bare = key.removeprefix("model.diffusion_model.").removesuffix(".weight")
    names = {
        "kohya": f"lora_unet_{bare.replace('.', '_')}.lora_down.weight",
        "peft": f"unet.{bare}.lora_A.weight",
        "diffusers": f"unet.{bare}.lora.down.weight",
        "old": f"unet.{bare.replace('attn2.to_k', 'attn2.processor.to_k_lora')}.down.weight",
        "loha": f"lora_unet_{bare.replace('.', '_')}.hada_w1_b",
    }
    return {names[form]: tensor(8, entry["shape"][1])}


@pytest.mark.parametrize("form", ["kohya", "peft", "diffusers", "old", "loha"])
@pytest.mark.parametrize(
    ("checkpoint", "family"),
    [("sd1_v1_5", "sd1"), ("sd2_768", "sd2"), ("sdxl_base", "sdxl"), ("sdxl_refiner", SDXL_REFINER)],
)
def test_the_width_of_the_text_input_tells(checkpoint: str, family: str, form: str) -> None:
    assert lora_family(lora_for(checkpoint, form)) == family


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("unknown_lora_sd1", "sd1"),
        ("unknown_lora_flux", "flux"),
        ("unknown_flux_lora_diffusers", "flux"),
        # Nothing in these tells one family from another: no warning is better than a wrong one.
        ("unknown_anima_lora_lokr", ""),
        ("unknown_krea2_lora_kohya", ""),
        ("unknown_qwen_image_lora_diffusers", ""),
    ],
)
def test_published_loras(name: str, family: str) -> None:
    assert lora_family(published(name)) == family


@pytest.mark.parametrize(
    ("metadata", "family"),
    [
        ({"ss_base_model_version": "sd_v1"}, "sd1"),
        ({"ss_base_model_version": "sd_1.5"}, "sd1"),
        ({"ss_base_model_version": "sd_v2_v"}, "sd2"),
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "sdxl"),
        ({"ss_base_model_version": "flux1"}, "flux"),
        ({"ss_v2": "True"}, "sd2"),
        ({"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, "sdxl"),
        ({"modelspec.architecture": "stable-diffusion-xl-v1-refiner/lora"}, SDXL_REFINER),
        ({"modelspec.architecture": "Flux.1-dev/lora", "ss_base_model_version": "sd_v1"}, "flux"),
        ({"modelspec.architecture": "something new"}, ""),
        ({}, ""),
        ("no table", ""),
    ],
)
def test_what_the_trainer_wrote_counts_where_shapes_say_nothing(metadata: Any, family: str) -> None:
    assert lora_family({"lora_unet_x.lokr_w1": tensor(4, 4), "__metadata__": metadata}) == family
    # And not where they do.
    assert lora_family({**lora_for("sd1_v1_5", "kohya"), "__metadata__": metadata}) == "sd1"


@pytest.mark.parametrize(
    ("header", "family"),
    [
        ({"emb_params": tensor(4, 768)}, "sd1"),
        ({"emb_params": tensor(4, 1024)}, "sd2"),
        ({"clip_g": tensor(4, 1280), "clip_l": tensor(4, 768)}, "sdxl"),
        ({"<token>": tensor(768)}, "sd1"),
        ({"one": tensor(768), "two": tensor(1024)}, ""),
        ({"emb_params": tensor(4, 333)}, ""),
        ({}, ""),
    ],
)
def test_the_vectors_of_an_embedding_tell(header: dict[str, Any], family: str) -> None:
    assert embedding_family(header) == family


def test_a_real_file_is_read_without_its_tensors(tmp_path: Path) -> None:
    file = write_file(tmp_path / "style.safetensors", lora_for("sdxl_base", "kohya"))
    assert lora_family(read_header(file)) == "sdxl"
    assert vector_family(2048) == "sdxl"


class Stocked(EmbeddedHost):
    """The engine with checkpoints of several families and networks whose names stand in the prompt."""

    known = {  # noqa: RUF012
        "old": ModelFacts("old", "sd1", 512), "large": ModelFacts("large", "sdxl", 1024),
        "refiner": ModelFacts("refiner", "sdxl", 1024, "refiner"), "chroma": ModelFacts("chroma", "chroma", 1024),
        "pickle": ModelFacts("pickle", "unknown", 512),
    }  # fmt: skip
    stock = (
        NetworkFacts("hat", "LoRA", "sdxl"), NetworkFacts("scarf", "LoRA", "sd1"), NetworkFacts("flow", "LoRA", "flux"),
        NetworkFacts("mystery", "LoRA", ""), NetworkFacts("badhands", "embedding", "sd1"),
    )  # fmt: skip
    asked = 0

    def model(self, checkpoint: str = "") -> ModelFacts:
        if checkpoint and checkpoint not in self.known:
            raise HostError("There is no such checkpoint.")
        return self.known.get(checkpoint, super().model())

    def networks(self, prompt: str) -> tuple[NetworkFacts, ...]:
        self.asked += 1
        return tuple(item for item in self.stock if item.name in prompt)


def request_of(checkpoint: str, *prompts: str, negative: str = "") -> Request:
    size = Size(64, 64)
    patches = tuple(
        Patch(Box(64 * n, 0, 64 * n + 64, 64), size, everywhere(size), 0.3, prompt=prompt, negative_prompt=negative)
        for n, prompt in enumerate(prompts)
    )
    picture = np.full((64, 64 * len(prompts), 3), 0.5, np.float32)
    sampling = Sampling(denoising_strength=0.3, steps=2, checkpoint=checkpoint)
    return Request(picture, patches, sampling, NoiseField(1, "test"))


@pytest.mark.parametrize(
    ("checkpoint", "prompt", "told"),
    [
        ("old", "a <lora:hat:1>", ["LoRA hat is for SDXL and does not fit old (SD 1.x): the host applies"]),
        ("old", "a <lora:scarf:1>", []),
        ("large", "a <lora:scarf:1> <lora:hat:1>", ["LoRA scarf is for SD 1.x and does not fit large"]),
        (
            "large",
            "badhands",
            ["embedding badhands is for SD 1.x and does not fit large (SDXL): the host reads its name"],
        ),
        # A LoRA for the base does not fit the refiner, which is another network.
        ("refiner", "<lora:hat:1>", ["does not fit refiner (the SDXL refiner)"]),
        ("chroma", "<lora:flow:1>", []),
        ("large", "<lora:mystery:1>", []),
        ("pickle", "<lora:hat:1> <lora:scarf:1>", []),
        # Without a checkpoint of its own the stage does what the base did.
        ("", "<lora:hat:1> <lora:scarf:1>", []),
        ("gone", "<lora:hat:1>", []),
    ],
)
def test_what_does_not_fit_is_named_with_both_families(checkpoint: str, prompt: str, told: list[str]) -> None:
    (notes,) = misfits([request_of(checkpoint, prompt)], Stocked())
    assert len(notes) == len(told)
    assert all(part in note for part, note in zip(told, notes))


def test_a_negative_prompt_counts_too_and_a_note_stands_once() -> None:
    host = Stocked()
    requests = [request_of("large", "a", "a", "a", negative="badhands") for _ in range(3)]
    found = misfits(requests, host)
    assert [len(notes) for notes in found] == [1, 1, 1]
    assert host.asked == 2, "each prompt is looked up once"


def test_the_note_stands_in_the_outcome_and_the_patch_is_drawn() -> None:
    host = Stocked()
    (outcome,) = redraw([request_of("old", "a <lora:hat:1>")], host, AreaBudget(host.capabilities), Onward())
    assert outcome.accepted == 1
    assert sum("does not fit old" in note for note in outcome.notes) == 1


def test_the_embedded_engine_has_none() -> None:
    assert EmbeddedHost().networks("<lora:hat:1> badhands") == ()
