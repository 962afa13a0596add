"""What is done after a failed load rests on these, looked up in the sources of real hosts.

Forge's own `forge_model_reload` is also run, with what it calls around it left out.
"""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from tests.contract.hosts import arguments_of, each_host, function, letter, tree

pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence")


def text(host: Path, file: str, name: str) -> str:
    return ast.unparse(function(host, file, name))


def in_order(whole: str, pieces: list[str]) -> None:
    places = [whole.find(piece) for piece in pieces]
    assert -1 not in places, pieces[places.index(-1)]
    assert places == sorted(places)


@each_host
def test_the_model_is_loaded_before_init_is_called(host: Path) -> None:
    """So a nested call that failed before its `init` failed over the model."""
    before = {"F": "manage_model_and_prompt_cache(p)", "N": "manage_model_and_prompt_cache(p)"}
    load = before.get(letter(host), "sd_models.reload_model_weights()")
    in_order(text(host, "processing.py", ".process_images"), [load, "process_images_inner(p)"])
    inner = text(host, "processing.py", ".process_images_inner")
    assert "reload_model" not in inner[: inner.index("p.init(")]
    assert "forge_model_reload" not in inner[: inner.index("p.init(")]


@each_host
def test_a1111_takes_its_model_apart_before_it_reads_the_next_file(host: Path) -> None:
    """Where reading fails, the one before stays without its hijacks, and passes for loaded."""
    if letter(host) != "A":
        pytest.skip("A1111's own loader")
    in_order(
        text(host, "sd_models.py", ".reload_model_weights"),
        [
            "sd_model.sd_model_checkpoint == checkpoint_info.filename and (not forced_reload)",
            "undo_hijack(sd_model)",
            "state_dict = get_checkpoint_state_dict(",
            "sd_hijack.model_hijack.hijack(sd_model)",
        ],
    )


@each_host
def test_a_load_can_be_forced(host: Path) -> None:
    if letter(host) in "FN":
        pytest.skip("Forge's own loader")
    assert "forced_reload" in arguments_of(function(host, "sd_models.py", "reload_model_weights").args)


@each_host
def test_where_the_vae_fails_a1111_puts_no_further_setting_back(host: Path) -> None:
    if letter(host) != "A":
        pytest.skip("the Forge family loads no VAE there")
    whole = text(host, "processing.py", ".process_images")
    last = whole[whole.rindex("finally:") :]
    in_order(last, ["for k, v in stored_opts.items():", "setattr(opts, k, v)", "sd_vae.reload_vae_weights()"])


@each_host
def test_forge_keeps_the_mark_of_the_model_that_it_has_unloaded(host: Path) -> None:
    if letter(host) not in "FN":
        pytest.skip("Forge's own loader")
    loaded: list[str] = []

    def load(file: str, **_: Any) -> Any:
        if file == "damaged":
            raise ValueError("a fault for a test")
        loaded.append(file)
        return SimpleNamespace()

    def choose(file: str) -> None:
        info = SimpleNamespace(filename=file, calculate_shorthash=str, sha256="", __repr__=lambda: file)
        data.forge_loading_parameters = {"checkpoint_info": info, "file": file}

    data = SimpleNamespace(sd_model=None, forge_hash="", forge_loading_parameters={})
    data.set_sd_model = lambda model: setattr(data, "sd_model", model)
    given = {"model_data": data, "forge_loader": load, "print": lambda *_: None, "dynamic_args": {}, "str": str}
    host_function = function(host, "sd_models.py", "forge_model_reload")
    definition = ast.FunctionDef(**{**dict(ast.iter_fields(host_function)), "decorator_list": []})
    used = {node.id for node in ast.walk(host_function) if isinstance(node, ast.Name)}
    scope: dict[str, Any] = {**{name: MagicMock() for name in used}, "ValueError": ValueError, **given}
    module = ast.fix_missing_locations(ast.Module([definition], []))
    exec(compile(module, "forge_model_reload", "exec"), scope)  # noqa: S102 (the host's own)
    choose("chosen")
    infos = dict(data.forge_loading_parameters)
    scope["forge_model_reload"]()
    choose("damaged")
    with pytest.raises(ValueError, match="a fault for a test"):
        scope["forge_model_reload"]()
    data.forge_loading_parameters = infos
    assert scope["forge_model_reload"]()[0] is None, "it takes the model for loaded"
    data.forge_hash = ""
    assert scope["forge_model_reload"]()[0] is not None
    assert loaded == ["chosen", "chosen"]


@each_host
def test_forge_asks_the_loaded_model_for_the_distilled_cfg_of_the_infotext(host: Path) -> None:
    """Unless the object has the attribute that its hires fix sets; see `probe.keep_distilled_cfg`."""
    if letter(host) != "F":
        pytest.skip("Forge alone has it there")
    piece = "getattr(p, 'firstpass_use_distilled_cfg_scale', p.sd_model.use_distilled_cfg_scale)"
    assert piece in text(host, "processing.py", ".create_infotext")


@each_host
def test_forge_renames_a_file_that_it_cannot_read(host: Path) -> None:
    if letter(host) not in "FN":
        pytest.skip("Forge's own loader")
    assert ".corrupted'" in ast.unparse(tree(host, "modules_forge/patch_basic.py"))
