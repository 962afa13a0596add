"""What the host is doing now, and what the user's buttons asked of it."""

from __future__ import annotations

import datetime
import threading
import time

from modules import devices, shared


class State:
    skipped = False
    interrupted = False
    stopping_generation = False
    job = ""
    job_no = 0
    job_count = 0
    processing_has_refined_job_count = False
    job_timestamp = "0"
    sampling_step = 0
    sampling_steps = 0
    current_latent = None
    current_image = None
    current_image_sampling_step = 0
    id_live_preview = 0
    textinfo = None
    time_start = None
    server_start = None

    def __init__(self):
        self.server_start = time.time()
        self._asked = threading.Event()
        self._command = None

    @property
    def server_command(self):
        return self._command

    @server_command.setter
    def server_command(self, value):
        self._command = value
        self._asked.set()

    @property
    def need_restart(self):
        return self.server_command == "restart"

    @need_restart.setter
    def need_restart(self, value):
        if value:
            self.server_command = "restart"

    def wait_for_server_command(self, timeout=None):
        if not self._asked.wait(timeout):
            return None
        self._asked.clear()
        command, self._command = self._command, None
        return command

    def request_restart(self):
        self.interrupt()
        self.server_command = "restart"

    def skip(self):
        self.skipped = True

    def interrupt(self):
        self.interrupted = True

    def stop_generating(self):
        self.stopping_generation = True

    def nextjob(self):
        if shared.opts.live_previews_enable and shared.opts.show_progress_every_n_steps == -1:
            self.do_set_current_image()
        self.job_no += 1
        self.sampling_step = 0
        self.current_image_sampling_step = 0

    def dict(self):
        names = (
            "skipped", "interrupted", "stopping_generation", "job", "job_count", "job_timestamp", "job_no",
            "sampling_step", "sampling_steps",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def begin(self, job="(unknown)"):
        self.time_start = time.time()
        self.job_timestamp = datetime.datetime.now().strftime("%Y%m%d%H%M%S")
        self.job, self.job_no, self.job_count = job, 0, -1
        self.processing_has_refined_job_count = False
        self.sampling_step = self.current_image_sampling_step = self.id_live_preview = 0
        self.current_latent = self.current_image = self.textinfo = None
        self.skipped = self.interrupted = self.stopping_generation = False
        devices.torch_gc()

    def end(self):
        # The counts of steps and the text stay as the last call left them.
        self.job = ""
        self.job_count = 0
        devices.torch_gc()

    def set_current_image(self):
        every = shared.opts.show_progress_every_n_steps
        due = self.sampling_step - self.current_image_sampling_step >= every and every != -1
        if due and shared.opts.live_previews_enable:
            self.do_set_current_image()

    def do_set_current_image(self):
        if self.current_latent is None:
            return
        from modules import sd_samplers_common

        self.assign_current_image(sd_samplers_common.sample_to_image(self.current_latent))
        self.current_image_sampling_step = self.sampling_step

    def assign_current_image(self, image):
        self.current_image = image
        self.id_live_preview += 1
