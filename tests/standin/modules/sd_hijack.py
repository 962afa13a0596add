"""Where the host gathers what the model's parts have to say during a generation."""

from __future__ import annotations


class StableDiffusionModelHijack:
    circular_enabled = False

    def __init__(self):
        self.comments = []
        self.extra_generation_params = {}

    def clear_comments(self):
        self.comments = []
        self.extra_generation_params = {}

    def apply_circular(self, enable):
        self.circular_enabled = enable


model_hijack = StableDiffusionModelHijack()
