"""What the regions panel relies on, looked up in the sources of real hosts (see `tests/contract/hosts.py`)."""

from __future__ import annotations

import re
from pathlib import Path

from tests.contract.hosts import arguments_of, assigned, each_host, function, letter


@each_host
def test_the_wrapper_takes_a_task_its_turn_and_resets_the_buttons(host: Path) -> None:
    wrapper = function(host, "call_queue.py", "wrap_gradio_gpu_call")
    assert arguments_of(wrapper.args) == ["func", "extra_outputs"]
    text = (host / "modules" / "call_queue.py").read_text(encoding="utf-8")
    for wanted in ('startswith("task(")', "with queue_lock", "progress.start_task", "progress.finish_task"):
        assert wanted in text, wanted
    for flag in ("skipped", "interrupted", "stopping_generation"):
        assert re.search(rf"state\.{flag} = False", text), flag


@each_host
def test_progress_knows_the_task_that_runs(host: Path) -> None:
    assert "current_task" in assigned(host, "progress.py")
    text = (host / "modules" / "progress.py").read_text(encoding="utf-8")
    assert '"/internal/progress"' in text
    for name in ("id_task", "live_preview", "active", "queued", "completed", "textinfo"):
        assert re.search(rf"\b{name}:", text), name


@each_host
def test_the_forge_family_generates_in_a_thread_of_its_own(host: Path) -> None:
    if letter(host) == "A":
        assert not (host / "modules_forge").exists()
        return
    call = function(host, "modules_forge/main_thread.py", "run_and_wait_result")
    assert arguments_of(call.args) == ["func"]
    assert call.args.vararg is not None


@each_host
def test_the_page_has_what_the_panel_reads_and_presses(host: Path) -> None:
    script = (host / "javascript" / "ui.js").read_text(encoding="utf-8")
    assert "function showSubmitButtons(tabname, show)" in script
    page = "".join(file.read_text(encoding="utf-8") for file in (host / "modules").glob("ui*.py"))
    page += "".join(file.read_text(encoding="utf-8") for file in (host / "modules" / "processing_scripts").glob("*.py"))
    for name in ("mode_img2img", "img2img_image"):
        assert f'"{name}"' in page, name
    for part in ("_prompt", "_neg_prompt", "_styles", "_sampling", "_steps", "_cfg_scale", "_gallery", "_interrupt"):
        assert re.search(rf'(\}}|img){part}"', page), part
