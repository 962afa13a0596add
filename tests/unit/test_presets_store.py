"""The store: what is written, what is refused, what is set aside, what can be undone."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lib_finisher.presets.errors import Conflict, Locked, PresetError, Unknown
from lib_finisher.presets.lock import _by_file, locked
from lib_finisher.presets.preset import MOST_BYTES, Match, Preset
from lib_finisher.presets.store import NEW, PresetStore
from tests.unit.test_presets import FULL, NAMES

ONE = Preset("One", {"refine": {"steps": 5}})


@pytest.fixture()
def store(tmp_path: Path) -> PresetStore:
    return PresetStore(tmp_path / "presets")


def names(store: PresetStore) -> list[str]:
    return [item.name for item in store.load().presets]


def test_a_folder_that_is_not_there_has_no_presets_and_is_not_made(store: PresetStore) -> None:
    assert store.load().presets == ()
    assert not store.folder.exists()


def test_a_preset_is_one_readable_file(store: PresetStore) -> None:
    stored = store.save(replace(FULL, locked=False), NEW)
    (file,) = store.folder.glob("*.json")
    text = file.read_text("utf-8")
    assert "😀" in text and text.startswith("{\n  ")
    assert PresetStore(store.folder).load().presets == (stored,)
    assert stored.created == "2026-01-01T00:00:00Z" and stored.changed
    assert {item.name for item in store.folder.iterdir()} == {file.name, "backups", ".lock"}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_shown_as_typed_and_nothing_is_written_outside(name: str, tmp_path: Path) -> None:
    store = PresetStore(tmp_path / "inner" / "presets")
    store.save(Preset(name, {"refine": {"steps": 5}}), NEW)
    assert PresetStore(store.folder).get(name).name == name
    assert [item.name for item in (tmp_path / "inner").iterdir()] == ["presets"]
    backup = store.delete(name)
    assert names(store) == []
    assert store.restore(backup.file).name == name


def test_a_save_says_what_it_has_seen(store: PresetStore) -> None:
    first = store.save(ONE, NEW)
    with pytest.raises(Conflict, match="is there already") as caught:
        store.save(replace(ONE, notes="other"), NEW)
    assert caught.value.found == first.revision
    mine = store.save(replace(first, notes="mine"), first.revision)
    with pytest.raises(Conflict, match="changed in the meantime"):
        store.save(replace(first, notes="theirs"), first.revision)
    assert store.get("one") == mine
    store.delete("One")
    with pytest.raises(Conflict, match="deleted or renamed"):
        store.save(replace(mine, notes="late"), mine.revision)
    assert names(store) == []


def test_two_programs_on_one_folder_see_each_other(store: PresetStore) -> None:
    other = PresetStore(store.folder)
    assert names(other) == []
    seen = store.save(ONE, NEW)
    assert other.get("One") == seen
    other.save(replace(seen, notes="theirs"), seen.revision)
    assert store.get("One").notes == "theirs"
    with pytest.raises(Conflict):
        store.save(replace(seen, notes="mine"), seen.revision)


def test_saving_the_same_again_changes_nothing(store: PresetStore) -> None:
    first = store.save(ONE, NEW)
    assert store.save(ONE, first.revision) == first
    assert list(store.backups()) == []


def test_a_locked_preset_is_neither_changed_nor_renamed_nor_deleted(store: PresetStore) -> None:
    store.save(ONE, NEW)
    kept = store.lock("one", True)
    for change in (
        lambda: store.save(replace(kept, notes="x", locked=False), None),
        lambda: store.rename("one", "two"),
        lambda: store.delete("one"),
    ):
        with pytest.raises(Locked, match="Unlock it first"):
            change()
    assert store.get("one") == kept
    store.lock("one", False)
    assert store.save(replace(ONE, notes="x"), None).notes == "x"


def test_rename_moves_the_file_and_takes_no_name_that_is_there(store: PresetStore) -> None:
    store.save(ONE, NEW)
    store.save(Preset("Two"), NEW)
    with pytest.raises(Conflict, match="already"):
        store.rename("One", "two")
    store.rename("One", "Three")
    assert names(store) == ["Three", "Two"]
    assert {item.name for item in store.folder.glob("*.json")} == {"three.json", "two.json"}
    store.rename("three", "THREE")
    assert names(store) == ["THREE", "Two"]


def test_backups_are_kept_by_the_number_and_bring_back_any_version(store: PresetStore) -> None:
    for number in range(30):
        store.save(replace(ONE, notes=str(number)), None)
    kept = store.backups("one")
    assert len(kept) == 20
    assert store.restore(kept[3].file).notes == "25"
    assert store.backups("one")[0].name == "One"
    with pytest.raises(Unknown):
        store.restore("../../one.json")
    with pytest.raises(Unknown):
        store.restore("none.json")


def test_backups_that_cannot_be_read_are_not_listed(store: PresetStore) -> None:
    store.save(ONE, NEW)
    store.save(replace(ONE, notes="x"), None)
    (kept,) = store.backups()
    link, folder = (store.backups_folder / f"one.20990101-00000{n}-000000.json" for n in (1, 2))
    link.symlink_to("gone.json")
    folder.mkdir()
    (store.backups_folder / "one.20000101-000000-000000.json").write_text("no preset")
    assert [item.file for item in store.backups("one")] == [kept.file, "one.20000101-000000-000000.json"]
    assert store.restore(kept.file).notes == ""
    for file in (link, folder):
        with pytest.raises(Unknown):
            store.restore(file.name)


def test_restoring_may_say_what_it_replaces(store: PresetStore) -> None:
    store.save(ONE, NEW)
    second = store.save(replace(ONE, notes="second"), None)
    (first,) = store.backups("one")
    third = store.save(replace(ONE, notes="third"), None)
    for expected in (second.revision, NEW):
        with pytest.raises(Conflict):
            store.restore(first.file, expected)
        assert store.get("One") == third
    assert store.restore(first.file, third.revision).notes == ""
    assert store.restore(first.file).notes == ""


BROKEN = {
    "half.json": b'{"finisher_preset": 1, "name": "ha',
    "list.json": b"[1, 2]",
    "binary.json": bytes(range(256)),
    "huge.json": b'{"finisher_preset": 1, "name": "x", "notes": "' + b"x" * (MOST_BYTES * 2 + 10) + b'"}',
    "other.json": b'{"some": "thing"}',
}


def age(file: Path, seconds: float = 3.0) -> None:
    """Have a file be changed that long ago."""
    then = file.stat().st_mtime - seconds
    os.utime(file, (then, then))


def test_files_that_are_no_presets_are_set_aside_and_named(store: PresetStore) -> None:
    store.save(ONE, NEW)
    for name, data in BROKEN.items():
        (store.folder / name).write_bytes(data)
        age(store.folder / name)
    found = store.load()
    assert [item.name for item in found.presets] == ["One"]
    assert len(found.problems) == len(found.set_aside) == len(BROKEN)
    for name, data in BROKEN.items():
        assert any(name in problem and "set-aside" in problem for problem in found.problems)
        (kept,) = store.aside_folder.glob(name.replace(".json", ".*.json"))
        assert kept.read_bytes() == data
    again = store.load()
    assert again.problems == () and len(again.set_aside) == len(BROKEN)


def test_a_file_that_another_program_is_writing_stays_and_is_named(store: PresetStore) -> None:
    mine = store.save(ONE, NEW)
    file = store.folder / "one.json"
    whole = file.read_bytes()
    with file.open("wb") as stream:
        for seconds in (0.0, 3.0):
            age(file, seconds)
            found = store.load()
            assert found.presets == () and not found.set_aside
            assert "one.json" in found.problems[0] and "so it stays" in found.problems[0]
        stream.write(whole[:30])
        stream.flush()
        assert "so it stays" in store.load().problems[0]
        stream.write(whole[30:])
    found = store.load()
    assert (found.presets, found.problems) == ((mine,), ())
    file.write_bytes(whole[:30])
    age(file)
    assert "set-aside" in store.load().problems[0] and not file.exists()


def test_the_file_of_a_newer_finisher_stays_where_it_is(store: PresetStore) -> None:
    store.folder.mkdir(parents=True)
    file = store.folder / "newer.json"
    file.write_text('{"finisher_preset": 99, "name": "newer"}')
    found = store.load()
    assert "schema 99" in found.problems[0] and not found.set_aside
    store.save(Preset("newer"), NEW)
    assert json.loads(file.read_text())["finisher_preset"] == 99, "it is not overwritten either"


def test_a_folder_written_by_schema_0_opens(store: PresetStore) -> None:
    store.folder.mkdir(parents=True)
    (store.folder / "old one.json").write_text('{"version": 1, "refine": {"steps": 5}, "grade": {"grain": 0}}')
    (preset,) = store.load().presets
    assert (preset.name, preset.recipe) == ("old one", {"refine": {"steps": 5}, "grade": {"grain": 0}})
    store.save(replace(preset, notes="now"), preset.revision)
    assert json.loads((store.folder / "old one.json").read_text())["finisher_preset"] == 1
    assert names(store) == ["old one"]


def test_a_file_that_a_person_put_there_under_another_name_is_changed_in_place(store: PresetStore) -> None:
    store.save(ONE, NEW)
    (store.folder / "one.json").rename(store.folder / "from a friend.json")
    store.save(replace(ONE, notes="x"), None)
    assert [item.name for item in store.folder.glob("*.json")] == ["from a friend.json"]
    (store.folder / "copy of one.json").write_bytes((store.folder / "from a friend.json").read_bytes())
    found = store.load()
    assert [item.name for item in found.presets] == ["One"] and "too. Rename one" in found.problems[0]


def test_what_was_stored_is_never_too_large_to_be_read(store: PresetStore) -> None:
    store.save(Preset("x", {"refine": {"prompt": "名" * 333_000}}), NEW)
    assert PresetStore(store.folder).load().problems == ()
    assert names(PresetStore(store.folder)) == ["x"]


def test_what_cannot_be_stored_is_refused_before_anything_is_written(store: PresetStore) -> None:
    with pytest.raises(PresetError, match="shorter"):
        store.save(Preset("x", {"refine": {"prompt": "x" * (MOST_BYTES + 1)}}), NEW)
    with pytest.raises(PresetError, match="shorter"):
        store.save(Preset("x", {"refine": {"prompt": "名" * 700_000}}), NEW)
    with pytest.raises(PresetError, match="hexadecimal"):
        store.save(Preset("x", match=Match(sha256=("12",))), NEW)
    with pytest.raises(PresetError, match="name"):
        store.save(Preset("auto"), NEW)
    with pytest.raises(Unknown, match="'One'"):
        store.save(ONE, NEW)
        store.rename("Two", "Three")
    assert names(store) == ["One"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_folder_that_cannot_be_written_is_told(store: PresetStore) -> None:
    store.folder.mkdir(parents=True)
    store.folder.chmod(0o500)
    with pytest.raises(PresetError, match="cannot be written"):
        store.save(ONE, NEW)


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "presets").write_text("x")
    with pytest.raises(PresetError, match="cannot be written"):
        PresetStore(tmp_path / "presets").save(ONE, NEW)


def test_many_threads_lose_nothing(store: PresetStore) -> None:
    store.save(Preset("count", {"refine": {"steps": 0}}), NEW)

    def work() -> None:
        own = PresetStore(store.folder)
        done = 0
        while done < 8:
            seen = own.get("count")
            try:
                own.save(replace(seen, recipe={"refine": {"steps": seen.recipe["refine"]["steps"] + 1}}), seen.revision)
            except Conflict:
                continue
            done += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("count").recipe["refine"]["steps"] == 32


def test_a_lock_that_is_held_is_waited_for_and_then_told(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(PresetError, match="another program"), locked(tmp_path, wait=0.1):
        pass
    with locked(tmp_path, wait=0.1):
        pass


def test_without_locks_of_the_file_system_a_file_stands_for_one(tmp_path: Path) -> None:
    with _by_file(tmp_path, 0.0), pytest.raises(PresetError, match="another program"), _by_file(tmp_path, 0.0):
        pass
    stale = tmp_path / ".lock-file"
    stale.touch()
    os.utime(stale, (1, 1))
    with _by_file(tmp_path, 0.0):
        assert stale.exists()
    assert not stale.exists()
