"""Finished patches of an unfinished stage: kept for a later run, gone once their stage is complete."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lib_finisher.store.results import PatchStore, ResultStore

PATCH = np.random.default_rng(0).random((8, 12, 3), dtype=np.float32)


def files(folder: Path) -> int:
    return len(list(folder.rglob("*.npy")))


@pytest.mark.parametrize("recalled", [False, True])
def test_complete_patches_are_forgotten_and_no_others(tmp_path: Path, recalled: bool) -> None:
    store = ResultStore(tmp_path)
    another = PatchStore(store, "code")
    another.keep("of an unfinished picture", PATCH)
    first = PatchStore(store, "code")
    first.keep("tile 1", PATCH)
    found = PatchStore(store, "code").recall("tile 1")
    assert found is not None and np.array_equal(found, PATCH)
    assert PatchStore(store, "changed code").recall("tile 1") is None
    finishing = PatchStore(store, "code") if recalled else first
    if recalled:
        assert finishing.recall("tile 1") is not None
    finishing.clear()
    assert PatchStore(store, "code").recall("tile 1") is None
    assert another.recall("of an unfinished picture") is not None
    assert files(tmp_path) == 1
