"""What the X/Y/Z plot's axes rely on, looked up in the sources of real hosts (see `tests/contract/hosts.py`)."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.contract.hosts import arguments_of, classes, each_host, function


def plot_of(host: Path) -> str:
    """Where the plot's script lies; Classic keeps it in a built-in extension."""
    (found,) = host.glob("**/scripts/xyz_grid.py")
    return found.relative_to(host).as_posix()


@each_host
def test_an_axis_is_made_of_what_we_give_it(host: Path) -> None:
    file = plot_of(host)
    text = (host / file).read_text(encoding="utf-8")
    where = file
    if "AxisOption" not in classes(host, file):
        assert "from lib_xyz.classes import AxisOption" in text
        where = file.replace("scripts/xyz_grid.py", "lib_xyz/classes.py")
    made = next(node for node in classes(host, where)["AxisOption"].body if isinstance(node, ast.FunctionDef))
    wanted = {"label", "type", "apply", "format_value", "confirm", "choices"}
    assert arguments_of(made.args)[:4] == ["self", "label", "type", "apply"]
    assert wanted <= set(arguments_of(made.args))
    assert "\naxis_options = " in text
    # Axes of the plain class are offered in both tabs.
    assert "type(x) == AxisOption" in text or "type(x) is AxisOption" in text
    assert ".confirm(p, valslist)" in text and ".apply(pc, x, xs)" in text


@each_host
def test_every_cell_is_a_copy_that_goes_through_the_hooks(host: Path) -> None:
    text = (host / plot_of(host)).read_text(encoding="utf-8")
    assert "pc = copy(p)" in text and "process_images(pc)" in text


@each_host
def test_the_scripts_are_loaded_before_the_page_is_built(host: Path) -> None:
    loaded = ast.unparse(function(host, "scripts.py", "load_scripts"))
    assert "scripts_data.append(ScriptClassData(" in loaded
    text = (host / "modules" / "scripts.py").read_text(encoding="utf-8")
    assert 'namedtuple("ScriptClassData", ["script_class", "path", "basedir", "module"])' in text
    callbacks = (host / "modules" / "script_callbacks.py").read_text(encoding="utf-8")
    assert "def on_before_ui(callback" in callbacks
