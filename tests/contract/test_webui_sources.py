"""What `lib_finisher/hosts/webui` relies on, looked up in the sources of real hosts.

FINISHER_WEBUI_DIRS lists checkouts, separated as in PATH. Nothing of them is imported.
"""

from __future__ import annotations

import ast
import functools
import os
from pathlib import Path

import pytest

HOSTS = [Path(item) for item in os.environ.get("FINISHER_WEBUI_DIRS", "").split(os.pathsep) if item]
NONE = pytest.param(None, marks=pytest.mark.skip(reason="FINISHER_WEBUI_DIRS is not set: no host sources to read"))

each_host = pytest.mark.parametrize("host", HOSTS or [NONE], ids=lambda host: host.name if host else "no host")

# (file, function or Class.method, arguments that must be there in this order)
FUNCTIONS = [
    ("processing.py", "process_images", ["p"]),
    ("processing.py", "program_version", []),
    ("processing.py", "StableDiffusionProcessing.comment", ["self", "text"]),
    ("processing.py", "StableDiffusionProcessing.close", ["self"]),
    ("processing.py", "StableDiffusionProcessing.get_token_merging_ratio", ["self"]),
    (
        "processing.py",
        "StableDiffusionProcessing.inpainting_image_conditioning",
        ["self", "source_image", "latent_image", "image_mask"],
    ),
    ("processing.py", "StableDiffusionProcessingImg2Img.init", ["self", "all_prompts", "all_seeds", "all_subseeds"]),
    (
        "processing.py",
        "StableDiffusionProcessingImg2Img.sample",
        ["self", "conditioning", "unconditional_conditioning", "seeds", "subseeds", "subseed_strength", "prompts"],
    ),
    ("scripts.py", "ScriptRunner.__init__", ["self"]),
    ("scripts.py", "ScriptRunner.postprocess_batch", ["self", "p", "images"]),
    ("scripts.py", "Script.elem_id", ["self", "item_id"]),
    ("scripts.py", "Script.before_process", ["self", "p"]),
    ("scripts.py", "Script.process", ["self", "p"]),
    ("scripts.py", "Script.postprocess_image_after_composite", ["self", "p", "pp"]),
    ("scripts.py", "Script.postprocess", ["self", "p", "processed"]),
    ("script_callbacks.py", "on_cfg_denoiser", ["callback"]),
    ("script_callbacks.py", "on_cfg_after_cfg", ["callback"]),
    ("sd_samplers.py", "find_sampler_config", ["name"]),
    ("sd_samplers_common.py", "setup_img2img_steps", ["p"]),
    ("sd_samplers_common.py", "Sampler.create_noise_sampler", ["self", "x", "sigmas", "p"]),
    ("sd_samplers_common.py", "Sampler.callback_state", ["self", "d"]),
    ("sd_models.py", "select_checkpoint", []),
    ("sd_models.py", "reload_model_weights", []),
    ("devices.py", "torch_gc", []),
    ("upscaler.py", "Upscaler.do_upscale", ["self", "img", "selected_model"]),
]

# Fields of the processing classes that a nested call sets through the constructor.
FIELDS = {
    "StableDiffusionProcessing": [
        "prompt", "negative_prompt", "styles", "seed", "subseed", "subseed_strength", "sampler_name", "batch_size",
        "n_iter", "steps", "cfg_scale", "width", "height", "restore_faces", "tiling", "do_not_save_samples",
        "do_not_save_grid", "extra_generation_params", "override_settings", "disable_extra_networks",
        "do_not_reload_embeddings",
    ],
    "StableDiffusionProcessingImg2Img": [
        "init_images", "resize_mode", "denoising_strength", "initial_noise_multiplier",
    ],
}  # fmt: skip

# (file, text that must occur in the source of the function) in any spelling that `ast.unparse` gives.
PIECES = [
    # The replaced instance attributes are what the samplers use.
    ("sd_samplers_kdiffusion.py", "KDiffusionSampler.sample_img2img", "callback=self.callback_state"),
    ("sd_samplers_kdiffusion.py", "KDiffusionSampler.sample_img2img", "self.create_noise_sampler("),
    ("sd_samplers_common.py", "Sampler.initialize", "TorchHijack(p)"),
    ("sd_samplers_common.py", "TorchHijack.__init__", "p.rng"),
    ("processing.py", "StableDiffusionProcessingImg2Img.sample", "self.rng.next()"),
    ("processing.py", "StableDiffusionProcessingImg2Img.sample", "self.sampler.sample_img2img(self, self.init_latent"),
    ("processing.py", "StableDiffusionProcessingImg2Img.init", "self.color_corrections is None"),
    ("processing.py", "StableDiffusionProcessingImg2Img.init", "for img in self.init_images"),
    # What a nested call meets in the main loop, and what the flags do there.
    ("processing.py", "process_images_inner", "p.init(p.all_prompts, p.all_seeds, p.all_subseeds)"),
    ("processing.py", "process_images_inner", "state.skipped = False"),
    ("processing.py", "process_images_inner", "state.interrupted or state.stopping_generation"),
    ("processing.py", "process_images_inner", "p.scripts.postprocess_batch(p, x_samples_ddim, batch_number=n)"),
    ("processing.py", "process_images_inner", "p.batch_index = i"),
    ("processing.py", "process_images_inner", "'params.txt'"),
    ("processing.py", "process_images", "override_settings"),
    ("shared_state.py", "State.nextjob", "self.job_no += 1"),
]

ORDER = [
    "p.scripts.process(p)",
    "p.init(p.all_prompts, p.all_seeds, p.all_subseeds)",
    "state.skipped = False",
    "p.sample(",
    "state.nextjob()",
    "p.scripts.postprocess_batch(",
    "p.scripts.postprocess_image_after_composite(",
    "infotexts.append(",
    "p.scripts.postprocess(p, res)",
]


@functools.cache
def tree(host: Path, file: str) -> ast.Module:
    return ast.parse((host / "modules" / file).read_text(encoding="utf-8"))


def classes(host: Path, file: str) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree(host, file).body if isinstance(node, ast.ClassDef)}


def function(host: Path, file: str, name: str) -> ast.FunctionDef:
    owner, _, method = name.rpartition(".")
    body = classes(host, file)[owner].body if owner else tree(host, file).body
    # The last definition of a name is the one that counts.
    found = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == method]
    assert found, f"modules/{file} has no {name}"
    return found[-1]


def assigned(host: Path, file: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree(host, file)):
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


@each_host
@pytest.mark.parametrize(
    ("file", "name", "arguments"), FUNCTIONS, ids=lambda item: item if isinstance(item, str) else ""
)
def test_a_function_has_the_arguments(host: Path, file: str, name: str, arguments: list[str]) -> None:
    spec = function(host, file, name).args
    names = [item.arg for item in (*spec.posonlyargs, *spec.args)]
    assert names[: len(arguments)] == arguments
    required = len(names) - len(spec.defaults)
    assert required <= max(len(arguments), 2), f"{name} asks for more: {names}"


@each_host
@pytest.mark.parametrize("owner", FIELDS)
def test_the_processing_classes_have_the_fields(host: Path, owner: str) -> None:
    fields = {
        node.target.id
        for node in classes(host, "processing.py")[owner].body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    assert set(FIELDS[owner]) <= fields


@each_host
@pytest.mark.parametrize(("file", "name", "piece"), PIECES)
def test_a_function_still_does_it(host: Path, file: str, name: str, piece: str) -> None:
    assert piece.replace('"', "'") in ast.unparse(function(host, file, name))


@each_host
def test_the_hooks_come_in_the_order_that_is_relied_on(host: Path) -> None:
    text = ast.unparse(function(host, "processing.py", "process_images_inner"))
    places = [text.find(piece) for piece in ORDER]
    assert -1 not in places, ORDER[places.index(-1)]
    assert places == sorted(places)


@each_host
@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("shared_state.py", ["skipped", "interrupted", "stopping_generation", "job", "job_no", "job_count", "textinfo",
                             "sampling_step", "sampling_steps"]),
        ("sd_models.py", ["checkpoint_aliases", "checkpoints_list", "name_for_extra", "filename", "sha256"]),
        ("shared.py", ["sd_upscalers", "opts", "state", "sd_model"]),
        ("sd_vae.py", ["vae_dict"]),
        ("sd_samplers.py", ["samplers_for_img2img"]),
        ("upscaler.py", ["data_path", "local_data_path", "scale", "scaler"]),
        ("options.py", ["data", "data_labels"]),
        ("sd_samplers_cfg_denoiser.py", ["mask_before_denoising"]),
        ("script_callbacks.py", ["denoiser", "sigma"]),
        ("processing.py", ["cached_c", "cached_uc", "color_corrections", "is_using_inpainting_conditioning",
                           "init_latent", "image_conditioning", "mask_for_overlay", "is_api"]),
        ("paths_internal.py", ["data_path"]),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)  # fmt: skip
def test_the_names_are_there(host: Path, file: str, names: list[str]) -> None:
    assert set(names) <= assigned(host, file)


@each_host
def test_the_callbacks_see_the_prediction_and_may_change_it(host: Path) -> None:
    text = ast.unparse(function(host, "sd_samplers_cfg_denoiser.py", "CFGDenoiser.forward"))
    pieces = ["cfg_denoiser_callback(denoiser_params)", "cfg_after_cfg_callback(after_cfg_callback_params)",
              "= after_cfg_callback_params.x"]  # fmt: skip
    places = [text.find(piece) for piece in pieces]
    assert -1 not in places
    assert places == sorted(places)
    # The denoiser itself comes with the parameters.
    before = ast.unparse(next(node for node in ast.walk(function(
        host, "sd_samplers_cfg_denoiser.py", "CFGDenoiser.forward"
    )) if isinstance(node, ast.Call) and ast.unparse(node.func) == "CFGDenoiserParams"))  # fmt: skip
    assert "self" in before


def test_our_hooks_take_no_lock_of_the_host() -> None:
    """The queue's lock is held while hooks run, so nothing of ours may take it."""
    own = Path(__file__).resolve().parents[2] / "lib_finisher" / "hosts" / "webui"
    for file in own.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "queue_lock" not in text
        assert "run_and_wait_result" not in text
        assert "state.begin" not in text
