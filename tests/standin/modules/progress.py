"""What the page asks while it waits."""

from __future__ import annotations

import base64
import io
import random
import string
import time
from collections import OrderedDict
from typing import Optional

import gradio as gr
from pydantic import BaseModel

from modules import shared

current_task = None
pending_tasks: OrderedDict = OrderedDict()
finished_tasks: list = []
recorded_results: list = []


class ProgressRequest(BaseModel):
    id_task: Optional[str] = None  # noqa: UP045 (pydantic reads it)
    id_live_preview: int = -1
    live_preview: bool = True


class ProgressResponse(BaseModel):
    active: bool
    queued: bool
    completed: bool
    progress: Optional[float] = None  # noqa: UP045
    eta: Optional[float] = None  # noqa: UP045
    live_preview: Optional[str] = None  # noqa: UP045
    id_live_preview: Optional[int] = None  # noqa: UP045
    textinfo: Optional[str] = None  # noqa: UP045


def create_task_id(task_type):
    return f"task({task_type}-{''.join(random.choices(string.ascii_uppercase + string.digits, k=7))})"


def add_task_to_queue(id_job):
    pending_tasks[id_job] = time.time()


def start_task(id_task):
    global current_task
    current_task = id_task
    pending_tasks.pop(id_task, None)


def finish_task(id_task):
    global current_task
    if current_task == id_task:
        current_task = None
    finished_tasks[:] = [*finished_tasks, id_task][-16:]


def record_results(id_task, res):
    recorded_results[:] = [*recorded_results, (id_task, res)][-2:]


def restore_progress(id_task):
    while id_task == current_task or id_task in pending_tasks:
        time.sleep(0.1)
    found = next((done for task, done in recorded_results if task == id_task), None)
    return found or (gr.update(), gr.update(), gr.update(), f"Couldn't restore progress for {id_task}")


def setup_progress_api(app):
    app.add_api_route("/internal/pending-tasks", pending, methods=["GET"])
    app.add_api_route("/internal/progress", progressapi, methods=["POST"], response_model=ProgressResponse)


def pending():
    return {"size": len(pending_tasks), "tasks": list(pending_tasks)}


def share(state):
    """How much is done: jobs, and the steps of the one that runs."""
    if state.job_count <= 0:
        return 0.0
    steps = state.sampling_step / state.sampling_steps if state.sampling_steps > 0 else 0
    return min(1.0, (state.job_no + steps) / state.job_count)


def progressapi(req: ProgressRequest):
    told = {
        "active": req.id_task == current_task, "queued": req.id_task in pending_tasks,
        "completed": req.id_task in finished_tasks,
    }  # fmt: skip
    if not told["active"]:
        places = sorted(pending_tasks, key=pending_tasks.get)
        text = f"In queue: {places.index(req.id_task) + 1}/{len(places)}" if told["queued"] else "Waiting..."
        return ProgressResponse(**told, id_live_preview=-1, textinfo=text)
    state = shared.state
    done = share(state)
    passed = time.time() - state.time_start
    preview, number = None, req.id_live_preview
    if shared.opts.live_previews_enable and req.live_preview:
        state.set_current_image()
        if state.id_live_preview != number and state.current_image is not None:
            data = io.BytesIO()
            state.current_image.save(data, "PNG")
            preview = f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
            number = state.id_live_preview
    return ProgressResponse(
        **told, progress=done, eta=passed / done - passed if done else None, live_preview=preview,
        id_live_preview=number, textinfo=state.textinfo,
    )  # fmt: skip
