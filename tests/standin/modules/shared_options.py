"""The host's own settings, as far as anything here or in an extension reads them."""

from __future__ import annotations

from pathlib import Path

from modules import paths_internal
from modules.options import OptionInfo, options_section

_OUT = Path(paths_internal.default_output_dir)


def _some(section, **defaults):
    return options_section(section, {key: OptionInfo(value, key.replace("_", " ")) for key, value in defaults.items()})


options_templates: dict[str, OptionInfo] = {
    **_some(
        ("saving-images", "Saving images/grids", "saving"),
        samples_save=True, samples_format="png", samples_filename_pattern="", save_images_add_number=True,
        save_images_replace_action="Replace", grid_save=True, grid_format="png", grid_extended_filename=False,
        grid_only_if_multiple=True, save_images_before_face_restoration=False, save_images_before_highres_fix=False,
        save_images_before_color_correction=False, save_mask=False, save_mask_composite=False, jpeg_quality=80,
        webp_lossless=False, save_init_img=False, save_incomplete_images=False, save_txt=False, enable_pnginfo=True,
    ),
    **_some(
        ("saving-paths", "Paths for saving", "saving"),
        outdir_samples="", outdir_txt2img_samples=str(_OUT / "txt2img-images"),
        outdir_img2img_samples=str(_OUT / "img2img-images"), outdir_grids="",
        outdir_txt2img_grids=str(_OUT / "txt2img-grids"), outdir_img2img_grids=str(_OUT / "img2img-grids"),
        outdir_init_images=str(_OUT / "init-images"),
    ),
    **_some(
        ("saving-to-dirs", "Saving to a directory", "saving"),
        save_to_dirs=True, grid_save_to_dirs=True,
        directories_filename_pattern="[date]",
    ),
    **_some(("upscaling", "Upscaling", "postprocessing"), upscaler_for_img2img=None, ESRGAN_tile=192),
    **_some(
        ("face-restoration", "Face restoration", "postprocessing"),
        face_restoration=False, face_restoration_model="CodeFormer",
    ),
    **_some(
        ("system", "System", "system"),
        multiple_tqdm=True, memmon_poll_rate=8, samples_log_stdout=False, do_not_show_images=False,
    ),
    **_some(
        ("sd", "Stable Diffusion", "sd"),
        sd_model_checkpoint=None, sd_checkpoint_hash="", sd_vae="Automatic", sd_vae_encode_method="Full",
        sd_vae_decode_method="Full", CLIP_stop_at_last_layers=1, emphasis="Original", randn_source="GPU", tiling=False,
        token_merging_ratio=0.0, token_merging_ratio_img2img=0.0, token_merging_ratio_hr=0.0,
        persistent_cond_cache=True, fp8_storage="Disable", cache_fp16_weight=False, sdxl_crop_left=0, sdxl_crop_top=0,
        use_old_scheduling=False, hires_fix_use_firstpass_conds=False, use_old_hires_fix_width_height=False,
    ),
    **_some(
        ("img2img", "img2img", "sd"),
        inpainting_mask_weight=1.0, initial_noise_multiplier=1.0, img2img_extra_noise=0.0,
        img2img_color_correction=False, img2img_fix_steps=False, img2img_background_color="#ffffff",
        return_mask=False, return_mask_composite=False, overlay_inpaint=True, img2img_batch_show_results_limit=32,
    ),
    **_some(
        ("sampler-params", "Sampler parameters", "sd"),
        hide_samplers=[], eta_ddim=0.0, eta_ancestral=1.0, s_churn=0.0, s_tmin=0.0, s_tmax=0.0, s_noise=1.0,
        sigma_min=0.0, sigma_max=0.0, rho=0.0, eta_noise_seed_delta=0, always_discard_next_to_last_sigma=False,
        sgm_noise_multiplier=False, s_min_uncond=0.0, s_min_uncond_all=False, skip_early_cond=0.0,
        no_dpmpp_sde_batch_determinism=False, batch_cond_uncond=True, refiner_switch_by_sample_steps=False,
        hires_fix_refiner_pass="second pass",
    ),
    **_some(
        ("ui", "Live previews", "ui"),
        show_progressbar=True, live_previews_enable=True, live_previews_image_format="png", show_progress_grid=True,
        show_progress_every_n_steps=10, live_preview_refresh_period=1000, show_progress_type="Approx NN",
        live_preview_content="Prompt", interrupt_after_current=True, return_grid=True, send_seed=True, send_size=True,
    ),
    **_some(
        ("infotext", "Infotext", "ui"),
        infotext_skip_pasting=[], infotext_styles="Apply if any", add_model_hash_to_info=True,
        add_model_name_to_info=True, add_vae_hash_to_info=True, add_vae_name_to_info=True, add_version_to_infotext=True,
        add_user_name_to_info=False, disable_weights_auto_swap=True,
    ),
}  # fmt: skip

for _key, _name in {
    "face_restoration": "Face restoration", "sd_model_checkpoint": "Model hash", "tiling": "Tiling", "sd_vae": "VAE",
    "CLIP_stop_at_last_layers": "Clip skip", "emphasis": "Emphasis", "randn_source": "RNG",
    "sd_vae_encode_method": "VAE Encoder", "sd_vae_decode_method": "VAE Decoder",
    "inpainting_mask_weight": "Conditional mask weight", "initial_noise_multiplier": "Noise multiplier",
    "img2img_extra_noise": "Extra noise", "s_min_uncond": "NGMS", "s_min_uncond_all": "NGMS all steps",
    "token_merging_ratio": "Token merging ratio", "token_merging_ratio_hr": "Token merging ratio hr",
    "eta_ddim": "Eta DDIM", "eta_ancestral": "Eta", "s_churn": "Sigma churn", "s_tmin": "Sigma tmin",
    "s_tmax": "Sigma tmax", "s_noise": "Sigma noise", "sigma_min": "Schedule min sigma",
    "sigma_max": "Schedule max sigma", "rho": "Schedule rho", "eta_noise_seed_delta": "ENSD",
    "always_discard_next_to_last_sigma": "Discard penultimate sigma", "sgm_noise_multiplier": "SGM noise multiplier",
    "skip_early_cond": "Skip Early CFG", "use_old_scheduling": "Old prompt editing timelines",
    "refiner_switch_by_sample_steps": "Refiner switch by sampling steps", "hires_fix_refiner_pass": "Hires refiner",
    "fp8_storage": "FP8 weight", "cache_fp16_weight": "Cache FP16 weight for LoRA",
}.items():  # fmt: skip
    options_templates[_key].infotext = _name
