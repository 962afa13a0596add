"""What differs between the hosts, found out by features and never by a name or a version number."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modules import sd_models, sd_samplers, sd_samplers_common, sd_vae, shared

from lib_finisher.hosts.port import HostError
from lib_finisher.presets.missing import HashedNames, same_here

_EXTRAS = ("text_encoders", "clip_skip", "distilled_cfg_scale", "eta", "s_noise", "noise_multiplier", "differential")
VAE_WORDS = ("Automatic", "None")


def is_forge_family() -> bool:
    """Whether this is Forge or one of its descendants."""
    return importlib.util.find_spec("modules_forge") is not None


def has_forge_loader() -> bool:
    """Whether checkpoints go through Forge's own loader, which `reload_model_weights` does not drive."""
    return is_forge_family() and "forge_additional_modules" in shared.opts.data_labels


def flavour() -> str:
    """The host's name for people and for `identity`."""
    from modules.processing import program_version

    name = "Forge" if has_forge_loader() else "reForge" if is_forge_family() else "A1111"
    return f"{name} {program_version() or ''}".strip()


def accepted(cls: type, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor arguments that this host's dataclass has; passing another would be a TypeError."""
    known = {item.name for item in dataclasses.fields(cls) if item.init}
    return {key: value for key, value in wanted.items() if key in known}


def outer_fields(outer: Any) -> dict[str, Any]:
    """What a nested call must have in common with the picture's own processing object."""
    names = (
        "distilled_cfg_scale", "disable_extra_networks", "outpath_samples", "outpath_grids", "eta", "s_churn",
        "s_tmin", "s_tmax", "s_noise", "s_min_uncond",
    )  # fmt: skip
    return {name: getattr(outer, name) for name in names if hasattr(outer, name)}


def allowed_options(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that this host has and lets be changed; any other would end the generation with an error."""
    return {key: value for key, value in wanted.items() if key in shared.opts.data_labels and not is_frozen(key)}


def is_frozen(key: str) -> bool:
    """Whether the host was started with flags that forbid changing this setting."""
    flags = shared.cmd_opts
    if getattr(flags, "freeze_settings", False):
        return True
    keys = getattr(flags, "freeze_specific_settings", None) or ""
    sections = getattr(flags, "freeze_settings_in_sections", None) or ""
    section = getattr(shared.opts.data_labels.get(key), "section", None) or ("",)
    return key in map(str.strip, keys.split(",")) or section[0] in [
        item.strip() for item in sections.split(",") if item
    ]


def remark_holders() -> list[Any]:
    """Where the host gathers what the model's parts had to say during a generation."""
    if importlib.util.find_spec("modules.sd_hijack") is None:
        return [shared.sd_model]
    from modules import sd_hijack

    return [item for item in (getattr(sd_hijack, "model_hijack", None), shared.sd_model) if item is not None]


def extras() -> frozenset[str]:
    """The special settings of a sampling that this host has."""
    from modules.processing import StableDiffusionProcessingImg2Img

    fields = accepted(StableDiffusionProcessingImg2Img, dict.fromkeys(("distilled_cfg_scale", "eta", "s_noise")))
    everywhere = {"clip_skip", "noise_multiplier", "differential", "latent_upscale"}
    return frozenset({*everywhere, *fields, *(("text_encoders",) if has_forge_loader() else ())})


def loaded_embeddings() -> Mapping[str, Any]:
    """The embeddings that the host keeps a table of, fitting or not, by name; Forge has a table for each text encoder
    inside the loaded model alone."""
    if importlib.util.find_spec("modules.sd_hijack") is None:
        return {}
    from modules import sd_hijack

    table = getattr(getattr(sd_hijack, "model_hijack", None), "embedding_db", None)
    return {**getattr(table, "skipped_embeddings", {}), **getattr(table, "word_embeddings", {})}


def refiner_compares() -> str:
    """What the host holds against `refiner_switch_at`: "steps", "noise" unless a setting says steps, "sigma", or ""
    where it has no refiner."""
    apply = getattr(sd_samplers_common, "apply_refiner", None)
    if apply is None:
        return ""
    sigma = inspect.signature(apply).parameters.get("sigma")
    if sigma is None:
        return "steps"
    return "sigma" if sigma.default is inspect.Parameter.empty else "noise"


def works_on_sigmas(sampler: Any) -> bool:
    """Whether a sampler runs over noise levels, and not over timesteps as DDIM, PLMS and UniPC do."""
    return hasattr(sampler, "get_sigmas")


def missing_controls() -> frozenset[str]:
    """The controls that mean nothing on this host."""
    return frozenset(_EXTRAS) - extras() | (frozenset() if schedulers() else frozenset({"scheduler"}))


def module_options(vae: str, text_encoders: Sequence[str], alone: bool = False) -> dict[str, Any]:
    """The settings that choose a VAE, and on Forge text encoder modules; what is empty stays, or, for a checkpoint that
    stands alone, gives way to what its own file has. Raises HostError."""
    if has_forge_loader():
        return _forge_modules(vae, text_encoders, alone)
    if not vae:
        kept = not alone or shared.opts.sd_vae in VAE_WORDS or is_frozen("sd_vae")
        return {} if kept else {"sd_vae": VAE_WORDS[0]}
    vae = same_here(vae, vaes()) or vae
    if vae not in vaes():
        raise HostError(f"There is no VAE {vae!r} here. VAEs: {', '.join([*VAE_WORDS, *sd_vae.vae_dict])}.")
    return {"sd_vae": vae}


def _forge_modules(vae: str, text_encoders: Sequence[str], alone: bool) -> dict[str, Any]:
    """Forge keeps VAE and text encoders in one list; which is which only their folders tell."""
    from modules_forge import main_entry

    known: Mapping[str, str] = main_entry.module_list
    vae = same_here(vae, list(known)) or vae
    text_encoders = [same_here(name, list(known)) or name for name in text_encoders]
    # Forge drops a name that it does not know without a word.
    for name in (*(() if vae in ("", *VAE_WORDS) else (vae,)), *text_encoders):
        if name not in known:
            raise HostError(f"There is no module {name!r} here. Modules: {', '.join(known) or 'none'}.")
    chosen = shared.opts.forge_additional_modules or ()
    if not (vae or text_encoders or (alone and chosen and not is_frozen("forge_additional_modules"))):
        return {}
    present = [] if alone else [Path(item) for item in chosen]
    vaes = [item.name for item in present if "vae" in item.parent.name.lower()]
    encoders = [item.name for item in present if "vae" not in item.parent.name.lower()]
    if vae:
        vaes = [] if vae in VAE_WORDS else [vae]
    return {"forge_additional_modules": [*vaes, *(text_encoders or encoders)]}


def reload_modules() -> None:
    """After a list of modules was put back by hand: Forge loads by parameters that it keeps beside the setting."""
    if has_forge_loader():
        from modules_forge import main_entry

        main_entry.refresh_model_loading_parameters()


def checkpoint_info(name: str = "") -> Any:
    """The host's record of a checkpoint, or of the one that the user chose. Raises HostError."""
    if not name:
        try:
            return sd_models.select_checkpoint()
        except FileNotFoundError as error:
            raise HostError("The host has no checkpoint at all. Add one to its folder of checkpoints.") from error
    # Never the host's own closest match: it falls back to searching for parts of names.
    info = sd_models.checkpoint_aliases.get(name)
    if info is None:
        # A title that the host does not write so, or not yet: it knows a file's hash when it has loaded the file.
        info = sd_models.checkpoint_aliases.get(same_here(name, checkpoint_names()))
    if info is None:
        known = ", ".join(item.name for item in sd_models.checkpoints_list.values())
        raise HostError(f"There is no checkpoint {name!r} here. Checkpoints: {known or 'none'}.")
    return info


def checkpoint_names() -> HashedNames:
    """Every checkpoint, by the name that a setting chooses it with, and what is known of its hashes."""
    infos = sorted(sd_models.checkpoints_list.values(), key=lambda info: str(info.name))
    return HashedNames({info.name: (info.sha256, info.shorthash, info.hash) for info in infos})


def restore_model() -> None:
    """Load what the user chose, where a nested call left another checkpoint. Forge does this by itself."""
    loaded = getattr(shared.sd_model, "sd_checkpoint_info", None)
    if not has_forge_loader() and loaded is not sd_models.select_checkpoint():
        sd_models.reload_model_weights()


def load_from_file() -> None:
    """Load what the user chose, whatever a failed load has left behind: no model, or A1111's without its hijacks."""
    if has_forge_loader():
        # Forge keeps the mark of the model that it unloaded before the failed load, and would take it for loaded.
        sd_models.model_data.forge_hash = ""
        sd_models.forge_model_reload()
    else:
        sd_models.reload_model_weights(forced_reload=True)


def keep_distilled_cfg(outer: Any) -> None:
    """Before another model is loaded: Forge asks the one that is loaded when it writes the infotext whether the picture
    has a distilled CFG scale, unless the object itself says so."""
    name, of_model = "firstpass_use_distilled_cfg_scale", "use_distilled_cfg_scale"
    if not hasattr(outer, name) and hasattr(shared.sd_model, of_model):
        setattr(outer, name, getattr(shared.sd_model, of_model))


def restore_token_merging(outer: Any) -> None:
    """A1111 ends every `process_images` by turning token merging off, also for the rest of the outer run.

    The Forge family does not, and applying it there once more would put it on twice.
    """
    ratio = outer.get_token_merging_ratio()
    if ratio and not is_forge_family():
        restore_model()
        sd_models.apply_token_merging(shared.sd_model, ratio)


def restore_tiling(outer: Any) -> None:
    """Put back the switch for circular padding, which a nested call sets for the whole model and the outer run's
    further pictures need as it was."""
    if not getattr(outer, "tiling", False):
        return
    restore_model()
    if importlib.util.find_spec("modules_forge") is not None:
        from modules_forge import utils

        apply_to_model = getattr(utils, "apply_circular_forge", None)
        if apply_to_model is not None:
            apply_to_model(shared.sd_model, True)
            return
    if importlib.util.find_spec("modules.sd_hijack") is not None:
        from modules import sd_hijack

        apply = getattr(getattr(sd_hijack, "model_hijack", None), "apply_circular", None)
        if apply is not None:
            apply(True)


def overrides(script: Any, plain: type, hook: str) -> bool:
    """Whether a script does anything in that hook."""
    return getattr(type(script), hook, None) is not getattr(plain, hook, None)


def delivers_noise(denoiser: Any) -> bool:
    """Whether after-CFG callbacks get the predicted noise, as with A1111's timestep samplers, and not the picture."""
    return bool(getattr(denoiser, "mask_before_denoising", False)) and not is_forge_family()


def samplers() -> tuple[str, ...]:
    """The samplers for img2img."""
    return tuple(item.name for item in sd_samplers.samplers_for_img2img)


def schedulers() -> tuple[str, ...]:
    """The noise schedules, empty where they are part of the samplers' names."""
    if importlib.util.find_spec("modules.sd_schedulers") is None:
        return ()
    from modules import sd_schedulers

    return tuple(item.label for item in sd_schedulers.schedulers)


def vaes() -> tuple[str, ...]:
    """The VAEs by the names that a stage may give; on Forge every module."""
    if has_forge_loader():
        from modules_forge import main_entry

        return tuple(main_entry.module_list)
    return (*VAE_WORDS, *sd_vae.vae_dict)


def canvas_multiple() -> int:
    """What sides must be multiples of. A model that rounds sizes by itself (SD 3) does so to multiples of 16."""
    return 16 if hasattr(shared.sd_model, "fix_dimensions") else 8
