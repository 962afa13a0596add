"""What the refiner, the swaps and the guard for networks rest on, looked up in the sources of real hosts.

The host's own `apply_refiner` is also run, on real schedules, with what it calls around it left out.
"""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lib_finisher.stages.refiner import first_step, level
from tests.contract.hosts import arguments_of, assigned, each_host, fields_of, function, letter, tree

pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence")

BASE, IMG2IMG = "StableDiffusionProcessing", "StableDiffusionProcessingImg2Img"
# What the host holds against `refiner_switch_at`; see `probe.refiner_compares`.
COMPARES = {"A": "noise", "F": "steps", "R": "noise", "C": "steps", "N": "sigma"}
REFINER = SimpleNamespace(short_title="refiner")


def text(host: Path, file: str, name: str) -> str:
    return ast.unparse(function(host, file, name))


def in_order(whole: str, pieces: list[str]) -> None:
    places = [whole.find(piece) for piece in pieces]
    assert -1 not in places, pieces[places.index(-1)]
    assert places == sorted(places)


@each_host
def test_the_fields_are_read_after_before_process_and_before_process(host: Path) -> None:
    """So an extension sets them in `before_process`, and the overridden settings with them."""
    assert {"refiner_checkpoint", "refiner_switch_at", "override_settings"} <= fields_of(host, BASE, own=False)
    in_order(text(host, "processing.py", ".process_images"), ["p.scripts.before_process(p)", "stored_opts = ",
                                                             "process_images_inner(p)"])  # fmt: skip
    in_order(
        text(host, "processing.py", ".process_images_inner"),
        [
            "p.refiner_checkpoint not in (None, '', 'None', 'none')",
            "p.refiner_checkpoint_info = sd_models.get_closet_checkpoint_match(p.refiner_checkpoint)",
            "p.scripts.process(p)",
            "p.init(",
        ],
    )


@each_host
def test_the_record_stays_on_the_object_so_it_has_to_be_put_back(host: Path) -> None:
    """It is made with the object alone, and with no share at all the refiner would draw from the first step."""
    assert "self.refiner_checkpoint_info = None" in text(host, "processing.py", f"{BASE}.__post_init__")
    inner = text(host, "processing.py", ".process_images_inner")
    assert "refiner_checkpoint_info = None" not in inner
    assert "p.scripts.setup" not in inner
    # The host's own accordion sets the fields once, when the object is made.
    own = ast.unparse(tree(host, "modules/processing_scripts/refiner.py"))
    assert "p.refiner_checkpoint = None" in own
    assert "p.refiner_checkpoint = refiner_checkpoint" in own


@each_host
def test_a_full_name_is_never_searched_for(host: Path) -> None:
    in_order(
        text(host, "sd_models.py", ".get_closet_checkpoint_match"),
        ["checkpoint_aliases.get(search_string, None)", "return checkpoint_info", "search_string in info.title"],
    )


@each_host
def test_settings_are_put_back_where_they_were_named(host: Path) -> None:
    text_ = text(host, "processing.py", ".process_images")
    assert "for k in p.override_settings.keys() if k in opts.data}" in text_
    assert "if p.override_settings_restore_afterwards:" in text_
    if COMPARES[letter(host)] == "noise":
        assert "refiner_switch_by_sample_steps" in ast.unparse(tree(host, "shared_options.py"))


@each_host
def test_what_is_compared_is_told_by_the_signature(host: Path) -> None:
    """As `probe.refiner_compares` reads it."""
    spec = function(host, "sd_samplers_common.py", ".apply_refiner").args
    names = arguments_of(spec)
    optional = names[len(names) - len(spec.defaults) :]
    found = "steps" if "sigma" not in names else "noise" if "sigma" in optional else "sigma"
    assert found == COMPARES[letter(host)]


@each_host
def test_steps_are_counted_by_calls_out_of_those_that_run(host: Path) -> None:
    """In img2img by those of the part of the schedule that is sampled; a sampler of second order calls twice a step."""
    launch = text(host, "sd_samplers_common.py", "Sampler.launch_sampling")
    assert "self.model_wrap_cfg.total_steps = self.config.total_steps(steps)" in launch
    in_order(
        text(host, "sd_samplers_common.py", "SamplerData.total_steps"),
        ["if self.options.get('second_order', False):", "steps = steps * 2", "return steps"],
    )
    forward = text(host, "sd_samplers_cfg_denoiser.py", "CFGDenoiser.forward")
    in_order(forward, ["sd_samplers_common.apply_refiner(self", "self.step += 1"])
    sample = text(host, "sd_samplers_kdiffusion.py", "KDiffusionSampler.sample_img2img")
    assert "self.launch_sampling(t_enc + 1" in sample
    assert arguments_of(function(host, "sd_samplers.py", ".create_sampler").args)[:2] == ["name", "model"]


class Left:
    """Whatever the function calls to load a model: done, and nothing to say."""

    def __getattr__(self, name: str) -> Left:
        return self

    def __call__(self, *told: Any, **more: Any) -> Left:
        return self

    def __enter__(self) -> Left:
        return self

    def __exit__(self, *told: Any) -> None:
        pass


def karras(steps: int) -> list[float]:
    """The noise levels of SDXL on the schedule of Karras."""
    ramp = np.linspace(0, 1, steps)
    low, high = 0.0291675 ** (1 / 7), 14.614642 ** (1 / 7)
    return [*((high + ramp * (low - high)) ** 7).tolist(), 0.0]


def plain(steps: int) -> list[float]:
    """The noise levels of SDXL at even distances in time."""
    table = levels()
    return [*np.interp(np.linspace(999, 0, steps), np.arange(1000), table).tolist(), 0.0]


def levels() -> np.ndarray:
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    share = np.cumprod(1 - betas)
    return np.sqrt((1 - share) / share)


def switches_at(host: Path, sigmas: list[float], share: float, by_steps: bool) -> int:
    """The first step at which the host's own function loads the refiner; as many as there are where it never does."""
    torch = pytest.importorskip("torch", reason="torch is not installed: the host's function cannot be run")
    steps = len(sigmas) - 1
    spec = function(host, "sd_samplers_common.py", ".apply_refiner")
    names = {node.id for node in ast.walk(spec) if isinstance(node, ast.Name)}
    space: dict[str, Any] = dict.fromkeys(names, Left())
    space |= {
        "opts": SimpleNamespace(refiner_switch_by_sample_steps=by_steps, hires_fix_refiner_pass="second pass"),
        "torch": torch, "None": None, "float": float, "getattr": getattr, "print": lambda *told: None,
        "AttributeError": AttributeError, "int": int,
    }  # fmt: skip
    exec(compile(ast.Module([spec], []), "apply_refiner", "exec"), space)  # noqa: S102 (the host's own)
    p = SimpleNamespace(
        refiner_switch_at=share, refiner_checkpoint_info=REFINER, extra_generation_params={}, enable_hr=False,
        disable_extra_networks=True, setup_conds=lambda: None, extra_network_data={},
    )  # fmt: skip
    denoiser = SimpleNamespace(
        step=0, total_steps=steps, p=p, inner_model=SimpleNamespace(sigmas=torch.tensor(levels())),
        update_inner_model=lambda: None, model_wrap=None,
    )  # fmt: skip
    arguments = arguments_of(spec.args)
    for number in range(steps):
        denoiser.step, sigma = number, torch.tensor([sigmas[number]])
        given = {"x": Left(), "sigma": sigma, "cfg_denoiser": denoiser}
        # As each host calls it: reForge leaves the level out.
        wanted = [given[name] for name in arguments if letter(host) != "R" or name != "sigma"]
        if space["apply_refiner"](*wanted) is True:
            assert p.extra_generation_params["Refiner switch at"] == share
            assert p.extra_generation_params["Refiner"] == "refiner"
            return number
    return steps


# txt2img, and img2img of 30 steps at a strength of 0.4: the last 13 levels of its schedule.
RUNS = [(30, 0), (40, 0), (20, 0), (30, 17)]


@each_host
@pytest.mark.parametrize("schedule", [karras, plain])
@pytest.mark.parametrize(("steps", "begun"), RUNS)
@pytest.mark.parametrize("share", [0.5, 0.8, 0.85, 0.9, 0.95])
def test_every_host_switches_after_the_same_share_of_the_steps(
    host: Path, schedule: Any, steps: int, begun: int, share: float
) -> None:
    """With what `refiner.begin` and `refiner.prepare` set there."""
    sigmas = schedule(steps)[begun:]
    wanted = first_step(len(sigmas) - 1, share)
    given = level(sigmas, wanted) if COMPARES[letter(host)] == "sigma" else share
    assert switches_at(host, sigmas, given, by_steps=True) == wanted


@each_host
def test_without_the_setting_the_noise_level_decides_where_there_is_one(host: Path) -> None:
    """The control: why the setting is overridden. A share of 0.9 is another step on each schedule."""
    found = [switches_at(host, schedule(30), 0.9, by_steps=False) for schedule in (karras, plain)]
    late = switches_at(host, plain(30)[17:], 0.5, by_steps=False)
    if letter(host) == "A":
        assert found[0] != first_step(30, 0.9)
        # In img2img half of the noise level is over before the first step.
        assert late == 0 != first_step(13, 0.5)
    elif COMPARES[letter(host)] != "sigma":
        assert found == [first_step(30, 0.9)] * 2
        assert late == first_step(13, 0.5)


@each_host
def test_the_networks_are_found_by_name(host: Path) -> None:
    (folder,) = [
        item for item in (host / "extensions-builtin").iterdir() if "lora" in item.name.lower()
        and (item / "networks.py").is_file()
    ]  # fmt: skip
    networks = ast.parse((folder / "networks.py").read_text("utf-8"))
    made = {target.id for node in networks.body if isinstance(node, (ast.Assign, ast.AnnAssign))
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)}  # fmt: skip
    assert "available_network_aliases" in made
    whole = ast.unparse(networks)
    assert "available_network_aliases[name] = entry" in whole
    assert "available_network_aliases[entry.alias] = entry" in whole
    assert "self.filename = filename" in (folder / "network.py").read_text("utf-8")
    # The module is known by that bare name.
    assert any("import networks" in file.read_text("utf-8") for file in folder.rglob("*.py"))


@each_host
def test_embeddings_stand_in_two_tables_with_their_width(host: Path) -> None:
    """Forge and Neo fill one for each text encoder instead; there the files' headers are read."""
    names = assigned(host, "modules/textual_inversion/textual_inversion.py")
    assert {"word_embeddings", "skipped_embeddings", "shape"} <= names
    hijack = host / "modules" / "sd_hijack.py"
    in_hijack = hijack.is_file() and "embedding_db = " in hijack.read_text("utf-8")
    assert in_hijack is (letter(host) in "ARC")
    assert "--embeddings-dir" in (host / "modules" / "cmd_args.py").read_text("utf-8")
