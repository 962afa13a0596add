"""An extension for tests only: a prompt that holds one of these words makes the model fail at its second step.

`faultraise` raises, `faultmemory` runs out of memory above 256 × 256 pixels, `faultinterrupt` and `faultskip` press the
buttons. Link the folder that holds `scripts/` into a host's extensions, together with Finisher.
"""

import torch
from modules import scripts, sd_samplers_cfg_denoiser, shared

LARGEST = 256 * 256 // 64


def failing(forward):
    """The denoiser's method, with the faults before it."""

    def with_faults(self, x, *args, **kwargs):
        text = " ".join(map(str, getattr(self.p, "prompts", None) or []))
        if self.step >= 1 or "faultmemory" in text:
            if "faultraise" in text:
                raise RuntimeError("a fault for a test")
            if "faultmemory" in text and x.shape[0] * x.shape[-1] * x.shape[-2] > LARGEST:
                raise torch.cuda.OutOfMemoryError("out of memory, for a test")
            if "faultinterrupt" in text:
                shared.state.interrupt()
            if "faultskip" in text:
                shared.state.skip()
        return forward(self, x, *args, **kwargs)

    with_faults.original = forward
    return with_faults


denoiser = sd_samplers_cfg_denoiser.CFGDenoiser
denoiser.forward = failing(getattr(denoiser.forward, "original", denoiser.forward))


class FaultInjector(scripts.Script):
    """Only so that tests can see that it is there."""

    def title(self):
        return "Finisher fault injector"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        return []
