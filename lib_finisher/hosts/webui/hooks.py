"""What the script's hooks do."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from modules import scripts, shared
from PIL import Image

from lib_finisher.controls import SettingsError, read
from lib_finisher.finished import Finished
from lib_finisher.hosts.port import HostError
from lib_finisher.hosts.webui import finish_only, given, others, presets, probe, refiner, settings, telling
from lib_finisher.hosts.webui.arguments import Asked, read_arguments
from lib_finisher.hosts.webui.control import HostControl
from lib_finisher.hosts.webui.finish_only import with_alpha
from lib_finisher.hosts.webui.finishing import Bytes, GenerationRun, finish, finished_ahead
from lib_finisher.hosts.webui.host import WebuiHost
from lib_finisher.infotext.writing import DONE
from lib_finisher.recipe import Recipe
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.base import BaseSettings

logger = logging.getLogger(__name__)

_RUN = "_finisher_run"
_INNER = ("_ad_inner", "_finisher_inner")


def before_process(p: Any, values: Sequence[Any]) -> None:
    """Forget the last use of this object, the batch tab takes the same one for every file; leave the sampling out
    where that is asked for."""
    refiner.end(p)
    finish_only.end(p)
    setattr(p, _RUN, None)
    if _is_inner(p):
        return
    telling.forget(p)
    try:
        asked = read_arguments(values)
    except SettingsError:
        # `process` says it.
        return
    if asked.enabled and not given.why_left_alone(p):
        base = _base_settings(p, asked.recipe)
        if base.finish_only and finish_only.applies(p):
            finish_only.begin(p, base)
        refiner.begin(p, base)


def process(p: Any, values: Sequence[Any]) -> None:
    """Read what is asked for. The overridden settings hold by now, so the checkpoint is the one that will run."""
    if _is_inner(p):
        return
    try:
        asked = read_arguments(values)
        if asked.enabled:
            _begin(p, asked)
    except SettingsError as error:
        telling.failed(p, " ".join(error.problems))
    except HostError as error:
        telling.failed(p, str(error))
    # The host would go on as if nothing had been asked for; the user learns the reason.
    except Exception as error:
        logger.exception("Finishing could not begin.")
        telling.failed(p, f"{type(error).__name__}: {error}")


def _begin(p: Any, asked: Asked) -> None:
    why = given.why_left_alone(p)
    if why:
        p.comment(f'Finisher: not used, because {why}. Finish its result afterwards, with "Finish only" in img2img.')
        return
    wanted = settings.read()
    host = WebuiHost(p, wanted.scripts)
    found = presets.effective(p, asked.recipe)
    for note in refiner.prepare(p):
        p.comment(f"Finisher: {note}")
    control = HostControl(last=_makes_one_batch(p))
    notes = (*asked.notes, *found.notes)
    run = GenerationRun(host, control, found.recipe, wanted, AreaBudget(host.capabilities), notes=notes)
    setattr(p, _RUN, run)
    telling.recipe(p, found, host.model().family)


def batch_list(p: Any, pp: Any) -> None:
    """Finish the pictures of a batch together, where nothing in the host can come between that and their saving."""
    if _is_inner(p):
        return
    pp.images = finish_only.own_sizes(p, pp.images)
    run: GenerationRun | None = getattr(p, _RUN, None)
    if run is None:
        return
    run.ahead.clear()
    if len(pp.images) < 2 or run.control.interrupted or shared.state.skipped or not _undisturbed_until_saved(p):
        return
    pictures = [_as_the_host_rounds(item) for item in pp.images]
    try:
        done = finish(p, run, pictures, range(len(pictures)))
    # Each picture's own turn comes later and will tell.
    except Exception:
        logger.exception("The pictures of the batch could not be finished together.")
        return
    run.ahead.update(enumerate(zip(pictures, done)))


def after_composite(p: Any, pp: Any) -> None:
    """Finish one picture. It comes after the host's compositing, so a change of size survives."""
    run: GenerationRun | None = getattr(p, _RUN, None)
    if run is None or _is_inner(p):
        return
    telling.forget_picture(p)
    picture = np.asarray(pp.image.convert("RGB"))
    try:
        done = finished_ahead(run, p.batch_index, picture)
        if done is None:
            if run.control.interrupted or shared.state.skipped:
                reason = "the picture was interrupted before it could be finished, so it was left as it is"
                telling.failed(p, reason)
                return
            (done,) = finish(p, run, [picture], [p.batch_index])
        _hand_over(p, pp, run, done)
    # Whatever goes wrong, the user gets the picture as it was and learns the reason.
    except Exception as error:
        logger.exception("Finishing failed.")
        telling.failed(p, f"{type(error).__name__}: {error}")
    finally:
        _transparent_again(p, pp)
        if p.batch_index == len(p.prompts) - 1 and run.others_let_go is not None:
            held, run.others_let_go = run.others_let_go, None
            others.take_hold(p, held)


def postprocess(p: Any, processed: Any) -> None:
    """The end of a run: the object is as the host made it, and the user's checkpoint is loaded again."""
    if _is_inner(p):
        return
    refiner.end(p)
    finish_only.end(p)
    run: GenerationRun | None = getattr(p, _RUN, None)
    if run is not None:
        setattr(p, _RUN, None)
        for image, text in run.beside:
            # A mask that the host shows has no infotext of its own.
            processed.infotexts += [processed.info] * (len(processed.images) - len(processed.infotexts))
            processed.images.append(image)
            processed.infotexts.append(text)
        run.host.close()


def _hand_over(p: Any, pp: Any, run: GenerationRun, done: Finished) -> None:
    size = done.pixels.shape[1], done.pixels.shape[0]
    told = (given.hires_note(p, pp.image.size, size), _idle_note(p, run.recipe), *refiner.notes(p))
    notes = [note for note in told if note]
    telling.finished(p, done, notes, run.notes)
    base, made = pp.image, done.in_8_bits()
    # A stage that failed hands on what it got done (an enlargement that could not be redrawn), here as everywhere.
    if any(item.status in DONE for item in done.reports) or not np.array_equal(made, np.asarray(base.convert("RGB"))):
        finished = with_alpha(Image.fromarray(made), done.alpha)
        finished.info.update(base.info)
        pp.image = finished
        if run.wanted.show_base and given.shows_its_base(p):
            run.beside.append(telling.before(p, base))
    telling.save_pictures(p, base, done, run.wanted)
    telling.save_deep(p, done, run.wanted)
    if done.without is not None:
        beside = telling.without(p, done, run.wanted)
        if given.shown_as_they_are(p):
            run.beside.append(beside)
        else:
            kept = "saved, not shown" if p.save_samples() else "not shown"
            why = "what made this one counts its pictures"
            p.comment(f"Finisher: the picture without {done.compared} is {kept}, because {why}")


def _transparent_again(p: Any, pp: Any) -> None:
    """A picture that was given with transparency has it, whatever became of its finishing."""
    alpha = finish_only.alpha(p, p.batch_index)
    if alpha is not None and pp.image.mode == "RGB" and pp.image.size == (alpha.shape[1], alpha.shape[0]):
        whole = with_alpha(pp.image, alpha)
        whole.info.update(pp.image.info)
        pp.image = whole


def _idle_note(p: Any, recipe: Recipe) -> str:
    idle = recipe[BASE].finish_only and not finish_only.applies(p)
    return "finish only has no meaning in txt2img, so the picture was generated first" if idle else ""


def _undisturbed_until_saved(p: Any) -> bool:
    """Whether nobody changes the pictures between the list hook and their saving, so that none is finished twice."""
    composed = p.restore_faces or getattr(p, "overlay_images", None) or getattr(p, "color_corrections", None)
    later = ("postprocess_image", "postprocess_image_after_composite")
    return not composed and not any(
        probe.overrides(script, scripts.Script, name)
        for script in p.scripts.alwayson_scripts
        for name in later
        if script.title() != "Finisher"
    )


def _as_the_host_rounds(sample: Any) -> Bytes:
    """The 8-bit picture that the host will make of a sample (3, height, width), 0..1."""
    return (255.0 * np.moveaxis(sample.cpu().numpy(), 0, 2)).astype(np.uint8)


def _base_settings(p: Any, recipe: Mapping[str, Any]) -> BaseSettings:
    """How the picture is taken. Where something else is wrong, "finish only" still means that nothing is sampled."""
    data = recipe.get(BASE)
    try:
        settings: BaseSettings = presets.effective_before(p, recipe)[BASE]
        return settings
    except (SettingsError, HostError):
        # `process` says it.
        pass
    try:
        return read(BaseSettings, data if data is not None else {}, where=BASE)
    except SettingsError:
        return BaseSettings(finish_only=isinstance(data, Mapping) and data.get("finish_only") is True)


def _makes_one_batch(p: Any) -> bool:
    """Whether nothing follows this batch: the host counts its jobs only after this, scripts of many runs before."""
    return bool(p.n_iter == 1 and shared.state.job_count <= 1)


def _is_inner(p: Any) -> bool:
    return any(getattr(p, marker, False) for marker in _INNER)
