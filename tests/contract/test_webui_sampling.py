"""What sampling inside a host and its face restoration rest on, looked up in the sources of real hosts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.contract.hosts import arguments_of, assigned, classes, each_host, function, letter, tree

pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence")

LOADED, TRIED = "self.net = self.load_net()", "restore_face(cropped_face_t)"


def methods(host: Path, file: str, owner: str) -> set[str]:
    return {node.name for node in classes(host, file)[owner].body if isinstance(node, ast.FunctionDef)}


def around(tree: ast.AST, piece: str) -> ast.Try:
    """The innermost try whose own lines have that text."""
    found = [
        node for node in ast.walk(tree) if isinstance(node, ast.Try) and piece in "".join(map(ast.unparse, node.body))
    ]
    assert found, piece
    return min(found, key=lambda node: len(ast.unparse(node)))


def in_order(text: str, pieces: list[str]) -> None:
    places = [text.find(piece) for piece in pieces]
    assert -1 not in places, pieces[places.index(-1)]
    assert places == sorted(places)


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


@each_host
def test_the_noise_multiplier_of_the_object_goes_before_the_setting(host: Path) -> None:
    """And it scales what sampling begins with, in place, so that a replaced source must give a fresh array."""
    made = ast.unparse(function(host, "processing.py", "StableDiffusionProcessingImg2Img.__post_init__"))
    assert (
        "self.initial_noise_multiplier = opts.initial_noise_multiplier if self.initial_noise_multiplier is None"
        " else self.initial_noise_multiplier"
    ) in made
    in_order(
        ast.unparse(function(host, "processing.py", "StableDiffusionProcessingImg2Img.sample")),
        [
            "x = self.rng.next()",
            "if self.initial_noise_multiplier != 1.0:",
            "x *= self.initial_noise_multiplier",
            "self.sampler.sample_img2img(self, self.init_latent, x,",
        ],
    )


@each_host
def test_samplers_over_sigmas_ask_for_their_schedule_by_a_method(host: Path) -> None:
    """The whole schedule comes from there, and sampling begins somewhere in it. A differential mask counts by it."""
    file = "sd_samplers_kdiffusion.py"
    assert arguments_of(function(host, file, "KDiffusionSampler.get_sigmas").args) == ["self", "p", "steps"]
    in_order(
        ast.unparse(function(host, file, "KDiffusionSampler.sample_img2img")),
        ["sigmas = self.get_sigmas(p, steps)", "sigma_sched = sigmas[steps - t_enc - 1:]", "self.launch_sampling("],
    )
    # The third argument is the level, which the callbacks get as `sigma`.
    made = next(
        node
        for node in ast.walk(function(host, "sd_samplers_cfg_denoiser.py", "CFGDenoiser.forward"))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "CFGDenoiserParams"
    )
    assert ast.unparse(made.args[2]) == ("sigma_in" if letter(host) == "A" else "sigma")
    assert arguments_of(function(host, "script_callbacks.py", "CFGDenoiserParams.__init__").args)[3] == "sigma"


@each_host
def test_samplers_over_timesteps_have_no_such_method(host: Path) -> None:
    (owner,) = (name for name in classes(host, "sd_samplers_timesteps.py") if name.endswith("Sampler"))
    assert "get_timesteps" in methods(host, "sd_samplers_timesteps.py", owner)
    for file, name in (("sd_samplers_timesteps.py", owner), ("sd_samplers_common.py", "Sampler")):
        assert "get_sigmas" not in methods(host, file, name)
    # They take off less noise than is put on: the last timestep that is used lies below that of the noise.
    text = ast.unparse(function(host, "sd_samplers_timesteps.py", f"{owner}.sample_img2img"))
    assert "timesteps_sched = timesteps[:t_enc]" in text
    assert "alphas_cumprod[timesteps[t_enc]]" in text


@each_host
def test_the_face_restorers_are_in_one_list(host: Path) -> None:
    assert "face_restorers" in assigned(host, "shared.py")
    base = {"name": ["self"], "restore": ["self", "np_image"]}
    for name, arguments in base.items():
        assert arguments_of(function(host, "face_restoration.py", f"FaceRestoration.{name}").args) == arguments
    for file, owner, label in (
        ("codeformer_model.py", "FaceRestorerCodeFormer", "CodeFormer"),
        ("gfpgan_model.py", "FaceRestorerGFPGAN", "GFPGAN"),
    ):
        assert f"return '{label}'" in ast.unparse(function(host, file, f"{owner}.name"))
        spec = function(host, file, f"{owner}.restore").args
        assert arguments_of(spec)[:2] == base["restore"]
        assert len(arguments_of(spec)) - len(spec.defaults) == 2
        assert "shared.face_restorers.append(" in ast.unparse(function(host, file, "setup_model"))
        # Made without its weights.
        assert "load_net" not in ast.unparse(function(host, "face_restoration_utils.py",
                                                      "CommonFaceRestoration.__init__"))  # fmt: skip
        assert "return self.restore_with_helper(np_image, restore_face)" in ast.unparse(
            function(host, file, f"{owner}.restore")
        )
    restore = ast.unparse(function(host, "codeformer_model.py", "FaceRestorerCodeFormer.restore"))
    assert "w = getattr(shared.opts, 'code_former_weight', 0.5)" in restore


@each_host
def test_a_face_restorer_that_cannot_be_loaded_gives_its_very_input_back(host: Path) -> None:
    restore = function(host, "face_restoration_utils.py", "CommonFaceRestoration.restore_with_helper")
    load = around(restore, LOADED)
    assert [ast.unparse(node) for node in load.handlers[0].body][-1] == "return np_image"
    # And one that works never does.
    work = function(host, "face_restoration_utils.py", "restore_with_face_helper")
    assert ast.unparse(work.body[-1]) == "return img"
    assert "img = face_helper.paste_faces_to_input_image()" in ast.unparse(work)


@each_host
def test_a_face_that_fails_is_only_reported(host: Path) -> None:
    """Which is why the calls of the model are counted."""
    work = function(host, "face_restoration_utils.py", "restore_with_face_helper")
    caught = around(work, TRIED)
    assert [ast.unparse(node)[:14] for node in caught.handlers[0].body] == ["errors.report("]
    # The size is the given one.
    assert "if original_resolution != img.shape[0:2]" in ast.unparse(work)
    assert "np_image[:, :, ::-1]" in ast.unparse(tree(host, "face_restoration_utils.py"))
