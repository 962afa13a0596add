"""Start-up, in the host's order: settings, scripts, models, upscalers."""

from __future__ import annotations

from modules import devices, shared


def initialize():
    from modules import options, shared_options, shared_state, styles

    shared.options_templates = shared_options.options_templates
    shared.opts = options.Options(shared.options_templates, shared.restricted_opts)
    shared.opts.load(shared.config_filename)
    shared.device = devices.device
    shared.state = shared_state.State()
    shared.prompt_styles = styles.StyleDatabase()

    from modules import compat, extra_networks, face_restoration, sd_models

    compat.watch_components()
    face_restoration.setup_models()
    sd_models.setup_model()
    extra_networks.initialize()
    initialize_rest(reload_script_modules=False)


def initialize_rest(*, reload_script_modules=False):
    from modules import sd_models, sd_samplers, sd_vae, upscaler

    sd_samplers.set_samplers()
    sd_models.list_models()

    from modules import scripts

    scripts.load_scripts()
    upscaler.load_upscalers()
    sd_vae.refresh_vae_list()
    shared.opts.onchange("sd_model_checkpoint", sd_models.reload_model_weights, call=False)
    shared.sd_model  # noqa: B018 (asking for it loads it)
