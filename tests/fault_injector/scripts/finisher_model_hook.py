"""An extension for tests only: with `hookedmodel` in the prompt it holds on to the model as ControlNet does on A1111.

From `process` to `postprocess` it changes what the model predicts, and fails at any size but the base's. The Forge
family's model is another one, and takes such changes back by itself: there it is not shown.
"""

import importlib.util

from modules import scripts, shared


class ModelHook(scripts.Script):
    """Takes hold in `process`, lets go in `postprocess`."""

    forward = None

    def title(self):
        return "Finisher model hook"

    def show(self, is_img2img):
        return False if importlib.util.find_spec("modules_forge") else scripts.AlwaysVisible

    def ui(self, is_img2img):
        return []

    def process(self, p, *args):
        if "hookedmodel" not in str(p.prompt) or self.forward is not None:
            return
        size = (p.height // 8, p.width // 8)
        model = shared.sd_model.model.diffusion_model
        forward = self.forward = model.forward

        def hooked(x, *arguments, **keywords):
            if tuple(x.shape[-2:]) != size:
                raise RuntimeError(f"the hint of the base picture does not fit {tuple(x.shape[-2:])}")
            return forward(x, *arguments, **keywords) + 0.05

        model.forward = hooked

    def postprocess(self, p, processed, *args):
        if self.forward is not None:
            shared.sd_model.model.diffusion_model.forward = self.forward
            self.forward = None
