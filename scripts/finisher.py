"""The door: a script of the host whose hooks forward to lib_finisher."""

from modules import scripts

from lib_finisher.hosts.webui import blend, finish_only, hooks, page, presets, routes, settings, xyz

blend.register()
finish_only.register()
settings.register()
routes.register()
xyz.register(presets.names)


class FinisherScript(scripts.Script):
    """Finishes every picture of txt2img and img2img, when its box is ticked."""

    def title(self):
        """The name by which API clients ask for it; never to be changed."""
        return "Finisher"

    def show(self, is_img2img):
        """Always there, in both tabs."""
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        """The accordion."""
        components, self.infotext_fields = page.build(is_img2img)
        self.paste_field_names = [page.KEY]
        return components

    def before_process(self, p, *args):
        """See `hooks.before_process`."""
        hooks.before_process(p, args)

    def process(self, p, *args):
        """See `hooks.process`."""
        hooks.process(p, args)

    def postprocess_batch_list(self, p, pp, *args, **kwargs):
        """See `hooks.batch_list`."""
        hooks.batch_list(p, pp)

    def postprocess_image_after_composite(self, p, pp, *args):
        """See `hooks.after_composite`."""
        hooks.after_composite(p, pp)

    def postprocess(self, p, processed, *args):
        """See `hooks.postprocess`."""
        hooks.postprocess(p, processed)
