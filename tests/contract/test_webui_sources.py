"""What `lib_finisher/hosts/webui` relies on, looked up in the sources of real hosts (see `tests/contract/hosts.py`).

Where one of them differs, the tables say so, and the difference is checked like everything else.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.contract.hosts import (
    arguments_of,
    assigned,
    check_presence,
    classes,
    each_host,
    fields_of,
    function,
    lacks,
    letter,
    template,
    tree,
)

pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence")

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
    ("processing.py", "StableDiffusionProcessing.parse_extra_network_prompts", ["self"]),
    ("processing.py", "StableDiffusionProcessing.save_samples", ["self"]),
    ("processing.py", "create_infotext", ["p", "all_prompts", "all_seeds", "all_subseeds"]),
    ("processing.py", "StableDiffusionProcessingTxt2Img.init", ["self", "all_prompts", "all_seeds", "all_subseeds"]),
    (
        "processing.py",
        "StableDiffusionProcessingTxt2Img.sample",
        ["self", "conditioning", "unconditional_conditioning", "seeds", "subseeds", "subseed_strength", "prompts"],
    ),
    ("processing.py", "StableDiffusionProcessingImg2Img.init", ["self", "all_prompts", "all_seeds", "all_subseeds"]),
    (
        "processing.py",
        "StableDiffusionProcessingImg2Img.sample",
        ["self", "conditioning", "unconditional_conditioning", "seeds", "subseeds", "subseed_strength", "prompts"],
    ),
    ("scripts.py", "ScriptRunner.__init__", ["self"]),
    ("scripts.py", "ScriptRunner.postprocess_batch", ["self", "p", "images"]),
    ("scripts.py", "ScriptRunner.postprocess_batch_list", ["self", "p", "pp"]),
    ("scripts.py", "PostprocessBatchListArgs.__init__", ["self", "images"]),
    ("scripts.py", "Script.elem_id", ["self", "item_id"]),
    ("scripts.py", "Script.before_process", ["self", "p"]),
    ("scripts.py", "Script.process", ["self", "p"]),
    ("scripts.py", "Script.postprocess_batch_list", ["self", "p", "pp"]),
    ("scripts.py", "Script.postprocess_image", ["self", "p", "pp"]),
    ("scripts.py", "Script.postprocess_image_after_composite", ["self", "p", "pp"]),
    ("scripts.py", "Script.postprocess", ["self", "p", "processed"]),
    ("script_callbacks.py", "on_ui_settings", ["callback"]),
    ("script_callbacks.py", "on_app_started", ["callback"]),
    ("script_callbacks.py", "remove_callbacks_for_function", ["callback_func"]),
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
    ("images.py", "resize_image", ["resize_mode", "im", "width", "height"]),
    ("images.py", "save_image", ["image", "path", "basename", "seed", "prompt", "extension", "info"]),
    ("images.py", "flatten", ["img", "bgcolor"]),
    ("images.py", "read_info_from_image", ["image"]),
    ("infotext_utils.py", "parse_generation_parameters", ["x"]),
    ("options.py", "OptionInfo.__init__", ["self", "default", "label", "component", "component_args"]),
    ("options.py", "OptionInfo.info", ["self", "info"]),
    ("options.py", "Options.add_option", ["self", "key", "info"]),
    ("styles.py", "StyleDatabase.apply_styles_to_prompt", ["self", "prompt", "styles"]),
    ("styles.py", "StyleDatabase.apply_negative_styles_to_prompt", ["self", "prompt", "styles"]),
    ("shared_state.py", "State.begin", ["self", "job"]),
    ("shared_state.py", "State.end", ["self"]),
    ("shared_total_tqdm.py", "TotalTQDM.clear", ["self"]),
    ("txt2img.py", "txt2img_upscale", ["id_task", "request", "gallery", "gallery_index", "generation_info"]),
    ("modules_forge/main_entry.py", "refresh_model_loading_parameters", []),
]

# Arguments that are given by name.
KEYWORDS = [
    ("images.py", "save_image", {"seed", "prompt", "extension", "info", "p", "suffix"}),
    ("processing.py", "create_infotext", {"index", "all_negative_prompts"}),
    ("options.py", "OptionInfo.__init__", {"section", "infotext", "restrict_api", "category_id"}),
]

# Fields of the processing classes that a nested call sets through the constructor.
FIELDS = {
    "StableDiffusionProcessing": [
        "prompt", "negative_prompt", "styles", "seed", "subseed", "subseed_strength", "sampler_name", "batch_size",
        "n_iter", "steps", "cfg_scale", "width", "height", "restore_faces", "tiling", "do_not_save_samples",
        "do_not_save_grid", "extra_generation_params", "override_settings", "disable_extra_networks",
        "do_not_reload_embeddings", "scheduler", "eta", "s_churn", "s_tmin", "s_tmax", "s_noise", "s_min_uncond",
        "distilled_cfg_scale", "outpath_samples", "outpath_grids",
    ],
    "StableDiffusionProcessingImg2Img": [
        "init_images", "resize_mode", "denoising_strength", "initial_noise_multiplier", "mask", "mask_blur",
        "inpaint_full_res", "inpainting_mask_invert",
    ],
}  # fmt: skip

# Fields that the host fills itself, read or replaced from the hooks.
ATTRIBUTES = {
    "StableDiffusionProcessing": [
        "prompts", "negative_prompts", "seeds", "subseeds", "all_prompts", "all_negative_prompts", "all_seeds",
        "iteration", "paste_to", "color_corrections", "rng", "sampler", "is_api",
    ],
    "StableDiffusionProcessingImg2Img": ["image_mask", "mask_for_overlay", "init_latent", "image_conditioning"],
}  # fmt: skip

# Settings that are read or overridden.
SETTINGS = [
    "CLIP_stop_at_last_layers", "sd_model_checkpoint", "sd_vae", "forge_additional_modules", "multiple_tqdm",
    "save_init_img", "samples_format", "return_mask_composite", "save_mask_composite", "img2img_background_color",
    "img2img_fix_steps", "token_merging_ratio", "s_noise", "outdir_samples", "outdir_img2img_samples", "outdir_grids",
    "outdir_img2img_grids", "initial_noise_multiplier", "code_former_weight",
]  # fmt: skip

# (file, id of a component of the page), {} where the tab or the part of the page stands
IDS = [
    ("ui_common.py", "{}_results"),
    ("ui_common.py", "{}_gallery_container"),
    ("ui_common.py", "{}_gallery"),
    ("ui_common.py", "image_buttons_{}"),
    ("ui_common.py", "{}_send_to_img2img"),
    ("ui_common.py", "{}_send_to_inpaint"),
    ("ui_common.py", "{}_send_to_extras"),
    ("ui_common.py", "{}_upscale"),
    ("ui_common.py", "html_info_{}"),
    ("ui_common.py", "generation_info_{}"),
    ("ui_common.py", "{}_generation_info_button"),
    ("ui_toprow.py", "{}_prompt"),
    ("ui_toprow.py", "{}_neg_prompt"),
    ("ui_toprow.py", "{}_tools"),
    ("ui_toprow.py", "{}_generate"),
    ("ui_toprow.py", "{}_interrupt"),
    ("ui_toprow.py", "{}_skip"),
    ("ui_toprow.py", "paste"),
]

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
    # Finish only: replaced on the object, and the pictures come back unchanged.
    ("processing.py", "process_images", "process_images_inner(p)"),
    ("processing.py", "process_images_inner", "samples_ddim = p.sample(conditioning=p.c,"),
    ("processing.py", "process_images_inner", "torch.clamp((x_samples_ddim + 1.0) / 2.0, min=0.0, max=1.0)"),
    ("processing.py", "process_images_inner", "255.0 * np.moveaxis(x_sample.cpu().numpy(), 0, 2)"),
    ("processing.py", "process_images_inner", "x_sample.astype(np.uint8)"),
    # The pictures of a batch together, and what they were made with.
    ("processing.py", "process_images_inner", "scripts.PostprocessBatchListArgs(list(x_samples_ddim))"),
    ("processing.py", "process_images_inner", "p.scripts.postprocess_batch_list(p, batch_params, batch_number=n)"),
    ("processing.py", "process_images_inner", "x_samples_ddim = batch_params.images"),
    ("processing.py", "process_images_inner", "p.prompts = p.all_prompts[n * p.batch_size:(n + 1) * p.batch_size]"),
    ("processing.py", "process_images_inner", "p.iteration = n"),
    ("processing.py", "StableDiffusionProcessing.parse_extra_network_prompts",
     "self.prompts, self.extra_network_data = extra_networks.parse_prompts(self.prompts)"),
    ("scripts.py", "PostprocessBatchListArgs.__init__", "self.images = images"),
    ("scripts.py", "PostprocessImageArgs.__init__", "self.image = image"),
    # Inpainting: what the host makes of the mask that it is given.
    ("processing.py", "StableDiffusionProcessingImg2Img.__post_init__", "self.image_mask = self.mask"),
    ("processing.py", "StableDiffusionProcessingImg2Img.init", "image_mask = self.image_mask"),
    ("processing.py", "StableDiffusionProcessingImg2Img.init", "if self.inpainting_mask_invert"),
    ("processing.py", "StableDiffusionProcessingImg2Img.init", "if self.inpaint_full_res"),
    ("processing.py", "StableDiffusionProcessingImg2Img.init", "self.mask_for_overlay = "),
    ("processing.py", "StableDiffusionProcessingImg2Img.init",
     "images.flatten(img, opts.img2img_background_color)"),
    ("processing.py", "StableDiffusionProcessingImg2Img.init", "images.resize_image(self.resize_mode, image,"),
    ("processing.py", "process_images_inner", "getattr(p, 'mask_for_overlay', None)"),
    ("processing.py", "process_images_inner", "opts.return_mask_composite or opts.save_mask_composite"),
    # The batch tab: one object for all files.
    ("img2img.py", "process_batch", "p.init_images = [img] * p.batch_size"),
    ("img2img.py", "process_batch", "p.image_mask = mask_image"),
    ("img2img.py", "process_batch", "process_images(p)"),
    ("img2img.py", "process_batch", "state.job = "),
]  # fmt: skip

ORDER = [
    "p.scripts.process(p)",
    "p.init(p.all_prompts, p.all_seeds, p.all_subseeds)",
    "state.skipped = False",
    "p.parse_extra_network_prompts()",
    "p.sample(",
    "'already_decoded'",
    "state.nextjob()",
    "p.scripts.postprocess_batch(",
    "p.scripts.postprocess_batch_list(",
    "p.scripts.postprocess_image(",
    "apply_overlay(image, p.paste_to, overlay_image)",
    "p.scripts.postprocess_image_after_composite(",
    "images.save_image(image, p.outpath_samples,",
    "infotexts.append(",
    "p.scripts.postprocess(p, res)",
]


@each_host
@pytest.mark.parametrize(
    ("file", "name", "arguments"), FUNCTIONS, ids=lambda item: item if isinstance(item, str) else ""
)
def test_a_function_has_the_arguments(host: Path, file: str, name: str, arguments: list[str]) -> None:
    if lacks(host, file, name):
        assert not (host / file).is_file() or name not in assigned(host, file)
        return
    spec = function(host, file, name).args
    names = arguments_of(spec)
    assert names[: len(arguments)] == arguments
    required = len(names) - len(spec.defaults)
    assert required <= max(len(arguments), 2), f"{name} asks for more: {names}"


@each_host
@pytest.mark.parametrize(("file", "name", "keywords"), KEYWORDS, ids=lambda item: item if isinstance(item, str) else "")
def test_a_function_takes_them_by_name(host: Path, file: str, name: str, keywords: set[str]) -> None:
    spec = function(host, file, name).args
    assert keywords <= {*arguments_of(spec), *(item.arg for item in spec.kwonlyargs)}


@each_host
@pytest.mark.parametrize("owner", FIELDS)
def test_the_processing_classes_have_the_fields(host: Path, owner: str) -> None:
    check_presence(host, "processing.py", FIELDS[owner], fields_of(host, owner, own=False))


@each_host
@pytest.mark.parametrize("owner", ATTRIBUTES)
def test_the_processing_classes_keep_the_attributes(host: Path, owner: str) -> None:
    check_presence(host, "processing.py", ATTRIBUTES[owner], fields_of(host, owner, own=True))


@each_host
def test_an_attribute_of_the_object_replaces_its_method(host: Path) -> None:
    for name, node in classes(host, "processing.py").items():
        if name.startswith("StableDiffusionProcessing"):
            assert "slots" not in "".join(map(ast.unparse, node.decorator_list))
            assert "__slots__" not in ast.unparse(node)


@each_host
def test_programs_are_told_from_the_page(host: Path) -> None:
    """The untouched base joins the pictures of the page only."""
    assert "is_api" in fields_of(host, "StableDiffusionProcessing", own=False) | fields_of(
        host, "StableDiffusionProcessing", own=True
    )
    assert (host / "modules" / "api" / "api.py").read_text(encoding="utf-8").count("p.is_api = True") >= 2


@each_host
def test_decoded_samples_are_not_decoded_again(host: Path) -> None:
    decoded = classes(host, "processing.py")["DecodedSamples"]
    assert [ast.unparse(item) for item in decoded.bases] == ["list"]
    assert "already_decoded = True" in ast.unparse(decoded)
    (choice,) = (
        node
        for node in ast.walk(function(host, "processing.py", "process_images_inner"))
        if isinstance(node, ast.If) and "'already_decoded'" in ast.unparse(node.test)
    )
    assert ast.unparse(choice.test) == "getattr(samples_ddim, 'already_decoded', False)"
    assert [ast.unparse(node) for node in choice.body] == ["x_samples_ddim = samples_ddim"]
    assert "decode_latent_batch(" in "".join(map(ast.unparse, choice.orelse))


@each_host
def test_the_batch_tab_makes_no_object_of_its_own(host: Path) -> None:
    batch = function(host, "img2img.py", "process_batch")
    assert batch.args.args[0].arg == "p"
    assert "StableDiffusionProcessing" not in ast.unparse(batch)
    (loop,) = (node for node in batch.body if isinstance(node, ast.For))
    assert "process_images(p)" in ast.unparse(loop)


@each_host
def test_the_upscale_button_is_told_by_its_marks(host: Path) -> None:
    """The button that upscales one picture of the gallery. Its generation runs on the main thread, but not on A."""
    name = "txt2img_upscale" if letter(host) == "A" else "txt2img_upscale_function"
    text = ast.unparse(function(host, "txt2img.py", name))
    assert "p.txt2img_upscale = True" in text
    assert "p.firstpass_image = " in text
    assert "p.batch_size = 1" in text
    caller = ast.unparse(function(host, "txt2img.py", "txt2img_upscale"))
    assert ("run_and_wait_result(" in caller) is (letter(host) != "A")


@each_host
def test_the_settings_are_there(host: Path) -> None:
    found: set[str] = set()
    for file in ("shared_options.py", "modules_forge/shared_options.py"):
        if "/" in file and not (host / file).is_file():
            continue
        for node in ast.walk(tree(host, file)):
            if isinstance(node, ast.Dict):
                found |= {str(item.value) for item in node.keys if isinstance(item, ast.Constant)}
    check_presence(host, "options", SETTINGS, found)


@each_host
def test_the_page_has_the_ids(host: Path) -> None:
    for file in {file for file, _ in IDS}:
        found = {
            template(item.value)
            for node in ast.walk(tree(host, file))
            if isinstance(node, ast.Call)
            for item in node.keywords
            if item.arg == "elem_id"
        }
        assert {name for where, name in IDS if where == file} <= found
    # What stands in the gaps.
    page = ast.unparse(tree(host, "ui.py"))
    for tab in ("txt2img", "img2img"):
        assert f"create_output_panel('{tab}'," in page
    assert "id_part = 'img2img' if is_img2img else 'txt2img'" in ast.unparse(
        function(host, "ui_toprow.py", "Toprow.__init__")
    )


@each_host
def test_the_infotext_parser_has_its_old_name_too(host: Path) -> None:
    old = "generation_parameters_copypaste"
    there = f"sys.modules['modules.{old}'] = sys.modules[__name__]" in ast.unparse(tree(host, "infotext_utils.py"))
    check_presence(host, "infotext_utils.py", [old], {old} if there else set())


@each_host
def test_the_command_line_says_whether_the_api_is_on_and_its_password(host: Path) -> None:
    flags = {
        node.args[0].value
        for node in ast.walk(tree(host, "cmd_args.py"))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "parser.add_argument"
        if isinstance(node.args[0], ast.Constant)
    }
    assert {"--api", "--api-auth", "--nowebui"} <= flags
    assert "shared.cmd_opts.api_auth.split(',')" in ast.unparse(tree(host, "modules/api/api.py"))


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
    # The prompts are whole again, with their extra networks, before the list hook.
    whole = text.rfind("p.prompts = p.all_prompts[")
    assert text.find("p.scripts.postprocess_batch(") < whole < text.find("p.scripts.postprocess_batch_list(")


@each_host
@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("shared_state.py", ["skipped", "interrupted", "stopping_generation", "job", "job_no", "job_count", "textinfo",
                             "sampling_step", "sampling_steps"]),
        ("sd_models.py", ["checkpoint_aliases", "checkpoints_list", "name_for_extra", "filename", "sha256"]),
        ("shared.py", ["sd_upscalers", "opts", "state", "sd_model", "cmd_opts", "OptionInfo", "prompt_styles",
                       "total_tqdm"]),
        ("call_queue.py", ["queue_lock"]),
        ("modules_forge/main_entry.py", ["module_list"]),
        ("sd_vae.py", ["vae_dict"]),
        ("sd_samplers.py", ["samplers_for_img2img"]),
        ("upscaler.py", ["data_path", "local_data_path", "scale", "scaler"]),
        ("options.py", ["data", "data_labels"]),
        ("sd_samplers_cfg_denoiser.py", ["mask_before_denoising"]),
        ("script_callbacks.py", ["denoiser", "sigma", "callback_map"]),
        ("processing.py", ["cached_c", "cached_uc", "color_corrections", "is_using_inpainting_conditioning",
                           "init_latent", "image_conditioning", "mask_for_overlay", "is_api"]),
        ("paths_internal.py", ["data_path"]),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)  # fmt: skip
def test_the_names_are_there(host: Path, file: str, names: list[str]) -> None:
    there = "/" not in file or (host / file).is_file()
    check_presence(host, file, names, assigned(host, file) if there else set())


def test_our_hooks_take_no_lock_of_the_host() -> None:
    """The queue's lock is held while hooks run, so nothing that a hook may call may take it. Routes of ours do."""
    own = Path(__file__).resolve().parents[2] / "lib_finisher" / "hosts" / "webui"
    reached, waiting = set(), ["hooks"]
    while waiting:
        name = waiting.pop()
        if name in reached or not (own / f"{name}.py").is_file():
            continue
        reached.add(name)
        text = (own / f"{name}.py").read_text(encoding="utf-8")
        for word in ("queue_lock", "wrap_gradio_gpu_call", "run_and_wait_result", "state.begin", "state.end"):
            assert word not in text, name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module == "lib_finisher.hosts.webui":
                waiting += [item.name for item in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lib_finisher.hosts.webui."):
                waiting.append(str(node.module).rpartition(".")[2])
    assert {"hooks", "host", "nested", "guard"} <= reached
