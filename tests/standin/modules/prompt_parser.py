"""Prompts as conditioning. What is meant by a text is kept beside a tensor of the usual shape."""

from __future__ import annotations

import hashlib
import re
from collections import namedtuple

import torch

from modules import shared

ScheduledPromptConditioning = namedtuple("ScheduledPromptConditioning", ["end_at_step", "cond"])
_TOKENS, _WIDTH = 77, 768
_known: dict[tuple[int, int], str] = {}


class SdConditioning(list):
    """A list of prompts and the size they are meant for."""

    def __init__(self, prompts, is_negative_prompt=False, width=None, height=None, copy_from=None):
        super().__init__(prompts)
        self.is_negative_prompt = is_negative_prompt
        self.width, self.height = width, height


class ComposableScheduledPromptConditioning:
    def __init__(self, schedules, weight=1.0):
        self.schedules, self.weight = schedules, weight


class MulticondLearnedConditioning:
    def __init__(self, shape, batch):
        self.shape, self.batch = shape, batch


def encode(text: str) -> torch.Tensor:
    """(77, 768), whose first numbers name the text and the layer it was read at."""
    digest = hashlib.sha256(text.encode()).digest()
    key = int.from_bytes(digest[:3], "big"), int.from_bytes(digest[3:6], "big")
    _known[key] = text
    found = torch.zeros(_TOKENS, _WIDTH)
    found[0, 0], found[0, 1] = key
    found[0, 2] = shared.opts.CLIP_stop_at_last_layers
    return found


def meant(cond: torch.Tensor) -> str:
    """The text of an encoded prompt."""
    return _known.get((int(cond[0, 0]), int(cond[0, 1])), "")


def layers_left_out(cond: torch.Tensor) -> int:
    """The "clip skip" that a prompt was encoded with."""
    return int(cond[0, 2])


def get_learned_conditioning(model, prompts, steps, hires_steps=None, use_old_scheduling=False):
    return [[ScheduledPromptConditioning(steps, encode(text))] for text in prompts]


def get_multicond_learned_conditioning(model, prompts, steps, hires_steps=None, use_old_scheduling=False):
    parts = [
        [ComposableScheduledPromptConditioning(schedules)]
        for schedules in get_learned_conditioning(model, prompts, steps, hires_steps)
    ]
    return MulticondLearnedConditioning((len(prompts),), parts)


def reconstruct_cond_batch(c, current_step):
    return torch.stack([schedules[0].cond for schedules in c])


def reconstruct_multicond_batch(c, current_step):
    indices, tensors = [], []
    for parts in c.batch:
        indices.append([(len(tensors) + number, part.weight) for number, part in enumerate(parts)])
        tensors += [part.schedules[0].cond for part in parts]
    return indices, torch.stack(tensors)


def parse_prompt_attention(text):
    """[[text, weight], …]; of the ways to weigh a part only brackets with a number are known."""
    found = re.findall(r"\(([^():]+):([0-9.]+)\)|([^()]+)", text)
    return [[weighed or plain, float(weight or 1)] for weighed, weight, plain in found] or [["", 1.0]]
