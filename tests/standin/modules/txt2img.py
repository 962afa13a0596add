"""The txt2img tab's button."""

import json
from contextlib import closing

import gradio as gr

from modules import infotext_utils, processing, scripts, shared, ui_common
from modules.infotext_utils import create_override_settings_dict
from modules.shared import opts


def txt2img_create_processing(
    id_task: str, request: gr.Request, prompt: str, negative_prompt: str, prompt_styles, n_iter: int, batch_size: int,
    cfg_scale: float, height: int, width: int, enable_hr: bool, denoising_strength: float, hr_scale: float,
    hr_upscaler: str, hr_second_pass_steps: int, hr_resize_x: int, hr_resize_y: int,
    hr_checkpoint_name: str, hr_sampler_name: str, hr_scheduler: str, hr_prompt: str, hr_negative_prompt: str,
    override_settings_texts, *args, force_enable_hr: bool = False,
):  # fmt: skip
    p = processing.StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model,
        outpath_samples=opts.outdir_samples or opts.outdir_txt2img_samples,
        outpath_grids=opts.outdir_grids or opts.outdir_txt2img_grids,
        prompt=prompt,
        styles=prompt_styles,
        negative_prompt=negative_prompt,
        batch_size=batch_size,
        n_iter=n_iter,
        cfg_scale=cfg_scale,
        width=width,
        height=height,
        enable_hr=enable_hr or force_enable_hr,
        denoising_strength=denoising_strength,
        hr_scale=hr_scale,
        hr_upscaler=hr_upscaler,
        hr_second_pass_steps=hr_second_pass_steps,
        hr_resize_x=hr_resize_x,
        hr_resize_y=hr_resize_y,
        hr_checkpoint_name=None if hr_checkpoint_name == "Use same checkpoint" else hr_checkpoint_name,
        hr_sampler_name=None if hr_sampler_name == "Use same sampler" else hr_sampler_name,
        hr_scheduler=None if hr_scheduler == "Use same scheduler" else hr_scheduler,
        hr_prompt=hr_prompt,
        hr_negative_prompt=hr_negative_prompt,
        override_settings=create_override_settings_dict(override_settings_texts),
    )
    p.scripts = scripts.scripts_txt2img
    p.script_args = args
    p.user = request.username
    return p


def txt2img_upscale(id_task: str, request: gr.Request, gallery, gallery_index, generation_info, *args):
    """The hires fix for one picture that is there already."""
    assert len(gallery) > 0, "No image to upscale"
    index = max(0, int(gallery_index))
    assert index < len(gallery), f"Bad image index: {gallery_index}"
    p = txt2img_create_processing(id_task, request, *args, force_enable_hr=True)
    p.batch_size = p.n_iter = 1
    p.txt2img_upscale = True
    told = json.loads(generation_info)
    p.firstpass_image = infotext_utils.image_from_url_text(gallery[index])
    parameters = infotext_utils.parse_generation_parameters(told["infotexts"][index], [])
    p.seed, p.subseed = parameters.get("Seed", -1), parameters.get("Variation seed", -1)
    p.override_settings["save_images_before_highres_fix"] = False
    with closing(p):
        done = scripts.scripts_txt2img.run(p, *p.script_args) or processing.process_images(p)
    pictures = [infotext_utils.image_from_url_text(item) for item in gallery]
    pictures[index : index + 1] = done.images
    told["infotexts"][index : index + 1] = done.infotexts
    lines = [ui_common.plaintext_to_html(done.info), ui_common.plaintext_to_html(done.comments, classname="comments")]
    return pictures, json.dumps(told), *lines


def txt2img(id_task: str, request: gr.Request, *args):
    p = txt2img_create_processing(id_task, request, *args)
    with closing(p):
        done = scripts.scripts_txt2img.run(p, *p.script_args) or processing.process_images(p)
    shared.total_tqdm.clear()
    told = [ui_common.plaintext_to_html(done.info), ui_common.plaintext_to_html(done.comments, classname="comments")]
    return done.images, done.js(), *told
