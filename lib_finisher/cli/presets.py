"""The command line's presets: list, resolve for a checkpoint, save, rename, import, export, compare, bring back."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lib_finisher.cli.chosen_presets import presets_folder
from lib_finisher.cli.console import program, tell, warn
from lib_finisher.cli.options import PRESETS
from lib_finisher.cli.preset_text import change, entry_data, plain, print_json, resolved_data, rules, safe, whose
from lib_finisher.plain_files import read_file
from lib_finisher.presets.errors import PresetError
from lib_finisher.presets.fragment import paths
from lib_finisher.presets.library import Library
from lib_finisher.presets.matching import Entry, read_checkpoint
from lib_finisher.presets.origins import LAYERS
from lib_finisher.presets.preset import Preset, parse
from lib_finisher.presets.resolve import read_choice, resolve
from lib_finisher.presets.share import (
    KEEP,
    RENAME,
    REPLACE,
    difference,
    export,
    from_infotext,
    from_recipe,
    import_presets,
    preview,
    read_bundle,
)
from lib_finisher.recipe import changed_sections

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_EXAMPLES = """\
examples:
  {program} presets list
  {program} presets resolve juggernautXL_v9.safetensors
  {program} presets save "My portraits" mine.json --about "What I use for portraits"
  {program} presets save "Like that one" finished.png
  {program} presets save "For this one" mine.json --for juggernautXL_v9.safetensors --as checkpoint
  {program} presets export Portrait "My portraits" > two.json
  {program} presets import two.json --preview"""

# A preset is at most some kilobytes, an export of all of them some megabytes.
_MOST_BYTES = 64 << 20


def add_command(commands: Any) -> None:
    """The command "presets" among the others."""
    parser = commands.add_parser(
        "presets", help=PRESETS[0].lower() + PRESETS[1:-1], description=PRESETS,
        epilog=_EXAMPLES.replace("{program}", program()), formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    names = "{list,show,resolve,save,rename,duplicate,lock,unlock,import,export,diff,delete,backups,restore}"
    doing = parser.add_subparsers(title="commands", required=True, metavar=names)

    _add(doing, "list", _list, "list all presets, yours and those that come with Finisher")
    _add(doing, "show", _show, "print a preset's file").add_argument("name", metavar="NAME")

    asked = _add(doing, "resolve", _resolve, "tell which presets a checkpoint gets, why, and what comes of them")
    asked.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a model file; only its header is read")
    asked.add_argument("--preset", action="append", default=[], metavar="NAME", help="also choose this one")
    asked.add_argument("--sha256", default="", metavar="HEX", help="its sha256, if you know it; it is not reckoned")

    saved = _add(doing, "save", _save, "save a recipe file, or what a finished picture was made with, as a preset")
    saved.add_argument("name", metavar="NAME")
    saved.add_argument("source", type=Path, metavar="FILE", help="a recipe or preset as JSON, or a picture")
    saved.add_argument("--about", default="", metavar="TEXT", help="a sentence on when to use it")
    saved.add_argument(
        "--for", dest="checkpoint", type=Path, metavar="CHECKPOINT", help="use it by itself for this one"
    )
    saved.add_argument(
        "--as", dest="layer", choices=LAYERS[1:-2], default="checkpoint", help="... or for all of its kind"
    )
    saved.add_argument("--replace", action="store_true", help="replace the preset of that name (a backup stays)")

    renamed = _add(doing, "rename", _rename, "give a preset another name")
    renamed.add_argument("name", metavar="NAME")
    renamed.add_argument("new", metavar="NEW")

    copied = _add(doing, "duplicate", _duplicate, "copy a preset, also one that comes with Finisher, as one of yours")
    copied.add_argument("name", metavar="NAME")
    copied.add_argument("new", nargs="?", default="", metavar="NEW", help="a free name by itself")

    for name, on, told in (("lock", True, ": it is neither changed nor deleted"), ("unlock", False, "")):
        _add(doing, name, partial(_lock, on=on), f"{name} a preset{told}").add_argument("name", metavar="NAME")

    brought = _add(doing, "import", _import, "import presets from a file")
    brought.add_argument("source", type=Path, metavar="FILE")
    brought.add_argument("--preview", action="store_true", help="only show what it would do")
    how = brought.add_mutually_exclusive_group()
    how.add_argument("--replace", dest="how", action="store_const", const=REPLACE, help="replace what has the name")
    how.add_argument("--rename", dest="how", action="store_const", const=RENAME, help="import under a free name")
    brought.set_defaults(how=KEEP)

    given = _add(doing, "export", _export, "print presets as one file; without a name all of yours")
    given.add_argument("names", nargs="*", metavar="NAME")

    two = _add(doing, "diff", _diff, "show where two presets differ")
    two.add_argument("first", metavar="NAME")
    two.add_argument("second", metavar="NAME")

    _add(doing, "delete", _delete, "delete a preset; restore brings it back").add_argument("name", metavar="NAME")
    _add(doing, "backups", _backups, "list earlier and deleted versions").add_argument("name", nargs="?", default="")
    _add(doing, "restore", _restore, "bring back an earlier version").add_argument("file", metavar="BACKUP")


def _add(
    doing: Any, name: str, run: Callable[[argparse.Namespace, Library], int], about: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = doing.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    parser.add_argument("--folder", type=Path, default=None, metavar="DIR", help="folder of presets")
    parser.add_argument("--json", action="store_true", help="print for programs")
    parser.set_defaults(command=lambda options: _told(options, run))
    return parser


def _told(options: argparse.Namespace, run: Callable[[argparse.Namespace, Library], int]) -> int:
    library = Library(options.folder or presets_folder())
    try:
        for problem in library.problems():
            warn(f"finisher: {problem}")
        return run(options, library)
    except PresetError as error:
        warn(f"finisher: {error}")
        return 2


def _list(options: argparse.Namespace, library: Library) -> int:
    entries = library.entries()
    if options.json:
        print_json({"presets": [entry_data(item) for item in entries]})
        return 0
    rows = [("preset", "whose", "for", "hash", "when")]
    rows += [
        (item.preset.name, whose(item), rules(item.preset), item.preset.content, item.preset.about) for item in entries
    ]
    widths = [max(len(safe(row[column])) for row in rows) for column in range(4)]
    for row in rows:
        cells = [safe(cell).ljust(width) for cell, width in zip(row, widths)]
        tell("  ".join([*cells, safe(row[4])]).rstrip())
    return 0


def _show(options: argparse.Namespace, library: Library) -> int:
    print_json(library.get(options.name).preset.as_json())
    return 0


def _resolve(options: argparse.Namespace, library: Library) -> int:
    checkpoint = read_checkpoint(options.checkpoint, sha256=options.sha256)
    candidates = library.explain(checkpoint)
    found = library.resolve(checkpoint, None, read_choice(options.preset))
    if options.json:
        print_json(resolved_data(checkpoint, candidates, found))
        return 0
    kind = ", ".join([checkpoint.family or "unknown family", *checkpoint.variants])
    tell(f"{checkpoint.name}: {kind} ({checkpoint.reason})")
    for item in candidates:
        told = "used" if item.used else f"not used: {item.before!r} comes before it"
        tell(f"  {item.entry.preset.name} ({item.entry.source}): {item.reason}; {told}")
    if not candidates:
        tell("  no preset is for this checkpoint")
    values = paths(changed_sections(found.recipe, found.family))
    tell(
        "what differs from the defaults of its family:" if values else "nothing differs from the defaults of its family"
    )
    for path, value in values.items():
        origin = found.origins.get(path)
        tell(f"  {path} = {value}" + (f"  ({origin.preset or origin.layer})" if origin else ""))
    for note in found.notes:
        tell(f"  note: {note}")
    return 0


def _save(options: argparse.Namespace, library: Library) -> int:
    preset = _preset_of(options.source, options.name)
    for note in preset.left_out:
        warn(f"finisher: {safe(options.source.name)}: {safe(note)}")
    if options.checkpoint is not None:
        checkpoint = read_checkpoint(options.checkpoint)
        shown = resolve(checkpoint, [Entry(preset)], None, read_choice([preset.name, "none"])).recipe
        preset = library.draft(options.name, shown, checkpoint, options.layer)
    if options.about:
        preset = Preset(**{**vars(preset), "about": options.about})
    known = {item.key: item for item in library.store.load().presets}.get(preset.key)
    if known is not None and not options.replace:
        raise PresetError(f"there is a preset {known.name!r} already. Say --replace, or take another name.")
    stored = library.store.save(preset, known.revision if known is not None else "")
    tell(f"saved: {safe(stored.name)} ({stored.content})")
    return 0


def _rename(options: argparse.Namespace, library: Library) -> int:
    tell(f"renamed: {safe(library.store.rename(options.name, options.new).name)}")
    return 0


def _duplicate(options: argparse.Namespace, library: Library) -> int:
    tell(f"copied: {safe(library.duplicate(options.name, options.new).name)}")
    return 0


def _lock(options: argparse.Namespace, library: Library, on: bool) -> int:
    tell(f"{'locked' if on else 'unlocked'}: {safe(library.store.lock(options.name, on).name)}")
    return 0


def _import(options: argparse.Namespace, library: Library) -> int:
    presets = read_bundle(_bytes(options.source), options.source.stem)
    previews = preview(presets, library.store.load().presets)
    if options.preview:
        for item in previews:
            tell(f"{safe(item.preset.name)}: {item.state}")
            for changed in item.changes:
                tell(f"  {change(*changed)}")
            for note in item.notes:
                tell(f"  note: {safe(note)}")
        return 0
    for preset, became in import_presets(presets, library.store, options.how):
        tell(f"{safe(preset.name)}: {became}")
        for note in preset.left_out:
            tell(f"  note: {safe(note)}")
    return 0


def _export(options: argparse.Namespace, library: Library) -> int:
    presets = [library.get(name).preset for name in options.names] or list(library.store.load().presets)
    if not presets:
        raise PresetError("there is no preset of yours to export. Name one that comes with Finisher, or save one.")
    tell(export(presets).rstrip("\n"))
    return 0


def _diff(options: argparse.Namespace, library: Library) -> int:
    rows = difference(library.get(options.first).preset, library.get(options.second).preset)
    if options.json:
        print_json([{"path": path, "first": plain(one), "second": plain(two)} for path, one, two in rows])
        return 0
    for row in rows:
        tell(change(*row))
    if not rows:
        tell("they say the same")
    return 0


def _delete(options: argparse.Namespace, library: Library) -> int:
    backup = library.store.delete(options.name)
    tell(f"deleted; to bring it back: presets restore {backup.file!r}")
    return 0


def _backups(options: argparse.Namespace, library: Library) -> int:
    for item in library.store.backups(options.name):
        tell(f"{item.file}  {safe(item.name)}")
    return 0


def _restore(options: argparse.Namespace, library: Library) -> int:
    tell(f"restored: {safe(library.store.restore(options.file).name)}")
    return 0


def _preset_of(source: Path, name: str) -> Preset:
    if source.suffix.lower() in _PICTURES:
        return _preset_in_picture(source, name)
    presets = read_bundle(_bytes(source), name)
    if len(presets) != 1:
        raise PresetError(f"{source.name} has {len(presets)} presets; use import for it.")
    return Preset(**{**vars(presets[0]), "name": name})


def _preset_in_picture(source: Path, name: str) -> Preset:
    # What reads pictures is only needed where there is one.
    from lib_finisher.imaging.files import PictureError, load_header

    try:
        header = load_header(source)
    except PictureError as error:
        raise PresetError(str(error)) from error
    # What the command line itself writes into its results is the whole recipe.
    if not header.finisher:
        return from_infotext(header.infotext, name)
    data, notes = parse(header.finisher)
    return replace(from_recipe(data, name), left_out=notes)


def _bytes(source: Path) -> bytes:
    try:
        return read_file(source, _MOST_BYTES)
    except OSError as error:
        raise PresetError(f"{source}: it cannot be read ({error.strerror or error}).") from error
