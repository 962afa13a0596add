"""The list of samplers."""

from __future__ import annotations

import functools

from modules import sd_samplers_common, sd_samplers_kdiffusion, sd_samplers_lcm, sd_samplers_timesteps, sd_schedulers
from modules import shared as _shared

samples_to_image_grid = sd_samplers_common.samples_to_image_grid
sample_to_image = sd_samplers_common.sample_to_image

all_samplers = [
    *sd_samplers_kdiffusion.samplers_data_k_diffusion,
    *sd_samplers_timesteps.samplers_data_timesteps,
    *sd_samplers_lcm.samplers_data_lcm,
]
all_samplers_map = {item.name: item for item in all_samplers}
samplers = samplers_for_img2img = all_samplers
samplers_map = {alias.lower(): item.name for item in all_samplers for alias in (item.name, *item.aliases)}
samplers_hidden: set = set()


def find_sampler_config(name):
    return all_samplers[0] if name is None else all_samplers_map.get(name)


def create_sampler(name, model):
    config = find_sampler_config(name)
    assert config is not None, f"bad sampler name: {name}"
    sampler = config.constructor(model)
    sampler.config = config
    return sampler


def set_samplers():
    samplers_hidden.clear()
    samplers_hidden.update(_shared.opts.hide_samplers)


def visible_sampler_names():
    return [item.name for item in visible_samplers()]


def visible_samplers():
    return [item for item in samplers if item.name not in samplers_hidden]


@functools.cache
def get_sampler_and_scheduler(sampler_name, scheduler_name, *, convert_automatic=True):
    """Valid names for whatever was asked, also for "Euler a Karras" of old infotexts."""
    scheduler = sd_schedulers.schedulers_map.get(scheduler_name, sd_schedulers.schedulers[0])
    name = sampler_name or samplers[0].name
    for item in sd_schedulers.schedulers:
        for ending in (item.label, item.name, *(item.aliases or [])):
            if name.endswith(f" {ending}"):
                scheduler, name = item, name[: -len(ending) - 1]
                break
    sampler = all_samplers_map.get(name, samplers[0])
    if convert_automatic and sampler.options.get("scheduler") == scheduler.name:
        scheduler = sd_schedulers.schedulers[0]
    return sampler.name, scheduler.label


def get_sampler_from_infotext(d):
    return get_sampler_and_scheduler(d.get("Sampler"), d.get("Schedule type"))[0]


def get_scheduler_from_infotext(d):
    return get_sampler_and_scheduler(d.get("Sampler"), d.get("Schedule type"))[1]


def get_hr_sampler_and_scheduler(d):
    """The names of the hires pass, or that they are the same."""
    own = {"sampler": "Use same sampler", "scheduler": "Use same scheduler"}
    asked = d.get("Hires sampler", own["sampler"]), d.get("Hires schedule type", own["scheduler"])
    first = d.get("Sampler"), d.get("Schedule type")
    found = get_sampler_and_scheduler(
        *(plain if name in own.values() else name for name, plain in zip(asked, first))
    )  # fmt: skip
    return tuple(same if name == plain else name for name, plain, same in zip(found, first, own.values()))


def get_hr_sampler_from_infotext(d):
    return get_hr_sampler_and_scheduler(d)[0]


def get_hr_scheduler_from_infotext(d):
    return get_hr_sampler_and_scheduler(d)[1]


def fix_p_invalid_sampler_and_scheduler(p):
    p.sampler_name, p.scheduler = get_sampler_and_scheduler(p.sampler_name, p.scheduler, convert_automatic=False)
