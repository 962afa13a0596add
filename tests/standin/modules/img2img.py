"""The img2img tab's button, and its batch tab."""

from contextlib import closing
from pathlib import Path

import gradio as gr
from PIL import ImageOps, UnidentifiedImageError

from modules import errors, images, processing, scripts, shared, ui_common
from modules.infotext_utils import create_override_settings_dict, parse_generation_parameters
from modules.processing import Processed, StableDiffusionProcessingImg2Img, process_images
from modules.sd_models import get_closet_checkpoint_match
from modules.shared import opts, state

_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
_BATCH = 5


def process_batch(
    p, input, output_dir, inpaint_mask_dir, args, to_scale=False, scale_by=1.0, use_png_info=False, png_info_props=None,
    png_info_dir=None,
):  # fmt: skip
    """One processing object for all files: whatever is changed on it is there for the next file too."""
    output_dir = output_dir.strip()
    processing.fix_seed(p)
    if isinstance(input, str):
        files = list(shared.walk_files(input, allowed_extensions=_ENDINGS))
    else:
        files = [str(Path(getattr(item, "name", item)).resolve()) for item in input]
    masks = shared.listfiles(inpaint_mask_dir) if inpaint_mask_dir else []
    state.job_count = len(files) * p.n_iter
    typed = {
        name: getattr(p, name) for name in ("prompt", "negative_prompt", "seed", "cfg_scale", "sampler_name", "steps")
    }
    wanted_model = get_closet_checkpoint_match(p.override_settings.get("sd_model_checkpoint"))
    results, enough = None, False
    for number, file in enumerate(files):
        state.job = f"{number + 1} out of {len(files)}"
        state.skipped = False
        if state.interrupted or state.stopping_generation:
            break
        try:
            picture = ImageOps.exif_transpose(images.read(file))
        except UnidentifiedImageError:
            errors.report(f"cannot identify {file}")
            continue
        if to_scale:
            p.width, p.height = int(picture.width * scale_by), int(picture.height * scale_by)
        p.init_images = [picture] * p.batch_size
        if masks:
            named = masks if len(masks) == 1 else sorted(Path(inpaint_mask_dir).glob(f"{Path(file).stem}.*"))
            if not named:
                errors.report(f"Warning: mask is not found for {file}. Skipping it.")
                continue
            p.image_mask = images.read(named[0])
        if use_png_info:
            _take_info(p, picture, file, typed, wanted_model, png_info_props, png_info_dir)
        if output_dir:
            several = p.n_iter > 1 or p.batch_size > 1
            p.outpath_samples = output_dir
            p.override_settings["save_to_dirs"] = False
            p.override_settings["save_images_replace_action"] = "Add number suffix"
            p.override_settings["samples_filename_pattern"] = Path(file).stem + (
                "-[generation_number]" if several else ""
            )
        done = scripts.scripts_img2img.run(p, *args)
        if done is None:
            p.override_settings.pop("save_images_replace_action", None)
            done = process_images(p)
        if enough:
            continue
        if results is None:
            results = done
        else:
            results.images.extend(done.images)
            results.infotexts.extend(done.infotexts)
        most = int(opts.img2img_batch_show_results_limit)
        if 0 <= most < len(results.images):
            enough = True
            results.images, results.infotexts = results.images[:most], results.infotexts[:most]
    return results


def _take_info(p, picture, file, typed, wanted_model, props, folder):
    try:
        source = images.read(Path(folder) / Path(file).name) if folder else picture
        parsed = parse_generation_parameters(images.read_info_from_image(source)[0])
        found = {key: value for key, value in parsed.items() if key in (props or {})}
    except Exception:  # noqa: BLE001 (as the host does: the picture tells nothing then)
        found = {}
    for name, key in (("prompt", "Prompt"), ("negative_prompt", "Negative prompt")):
        setattr(p, name, typed[name] + (f" {found[key]}" if key in found else ""))
    for name, key, kind in (
        ("seed", "Seed", int), ("cfg_scale", "CFG scale", float), ("sampler_name", "Sampler", str),
        ("steps", "Steps", int),
    ):  # fmt: skip
        setattr(p, name, kind(found.get(key, typed[name])))
    info = get_closet_checkpoint_match(found.get("Model hash"))
    if info is not None:
        p.override_settings["sd_model_checkpoint"] = info.name
    elif wanted_model:
        p.override_settings["sd_model_checkpoint"] = wanted_model
    else:
        p.override_settings.pop("sd_model_checkpoint", None)


def img2img(
    id_task: str, request: gr.Request, mode: int, prompt: str, negative_prompt: str, prompt_styles, init_img, sketch,
    init_img_with_mask, inpaint_color_sketch, inpaint_color_sketch_orig, init_img_inpaint, init_mask_inpaint,
    mask_blur: int, mask_alpha: float, inpainting_fill: int, n_iter: int, batch_size: int, cfg_scale: float,
    image_cfg_scale: float, denoising_strength: float, selected_scale_tab: int, height: int, width: int,
    scale_by: float, resize_mode: int, inpaint_full_res: bool, inpaint_full_res_padding: int,
    inpainting_mask_invert: int, img2img_batch_input_dir: str, img2img_batch_output_dir: str,
    img2img_batch_inpaint_mask_dir: str, override_settings_texts, img2img_batch_use_png_info: bool,
    img2img_batch_png_info_props: list, img2img_batch_png_info_dir: str, img2img_batch_source_type: str,
    img2img_batch_upload: list, *args,
):  # fmt: skip
    drawn = init_img_with_mask if isinstance(init_img_with_mask, dict) else {"image": init_img_with_mask}
    given = {
        0: (init_img, None), 1: (sketch, None), 2: (drawn.get("image"), drawn.get("mask")),
        3: (inpaint_color_sketch, None), 4: (init_img_inpaint, init_mask_inpaint),
    }  # fmt: skip
    image, mask = (images.fix_image(item) for item in given.get(mode, (None, None)))
    if mode == 2 and mask is not None:
        mask = processing.create_binary_mask(mask)
    if selected_scale_tab == 1 and mode != _BATCH:
        assert image, "Can't scale by because no image is selected"
        width, height = int(image.width * scale_by), int(image.height * scale_by)
    assert 0.0 <= denoising_strength <= 1.0, "can only work with strength in [0.0, 1.0]"
    p = StableDiffusionProcessingImg2Img(
        sd_model=shared.sd_model,
        outpath_samples=opts.outdir_samples or opts.outdir_img2img_samples,
        outpath_grids=opts.outdir_grids or opts.outdir_img2img_grids,
        prompt=prompt,
        negative_prompt=negative_prompt,
        styles=prompt_styles,
        batch_size=batch_size,
        n_iter=n_iter,
        cfg_scale=cfg_scale,
        width=width,
        height=height,
        init_images=[image],
        mask=mask,
        mask_blur=mask_blur,
        inpainting_fill=inpainting_fill,
        resize_mode=resize_mode,
        denoising_strength=denoising_strength,
        image_cfg_scale=image_cfg_scale,
        inpaint_full_res=inpaint_full_res,
        inpaint_full_res_padding=inpaint_full_res_padding,
        inpainting_mask_invert=inpainting_mask_invert,
        override_settings=create_override_settings_dict(override_settings_texts),
    )
    p.scripts = scripts.scripts_img2img
    p.script_args = args
    p.user = request.username
    with closing(p):
        if mode == _BATCH:
            uploaded = img2img_batch_source_type == "upload"
            done = process_batch(
                p, img2img_batch_upload if uploaded else img2img_batch_input_dir,
                "" if uploaded else img2img_batch_output_dir, "" if uploaded else img2img_batch_inpaint_mask_dir, args,
                to_scale=selected_scale_tab == 1, scale_by=scale_by, use_png_info=img2img_batch_use_png_info,
                png_info_props=img2img_batch_png_info_props, png_info_dir=img2img_batch_png_info_dir,
            ) or Processed(p, [], p.seed, "")  # fmt: skip
        else:
            done = scripts.scripts_img2img.run(p, *args) or process_images(p)
    shared.total_tqdm.clear()
    told = [ui_common.plaintext_to_html(done.info), ui_common.plaintext_to_html(done.comments, classname="comments")]
    return done.images, done.js(), *told
