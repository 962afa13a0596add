"""The store of stage results: a folder that cannot be written costs nothing, a digest of files follows the files."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from lib_finisher.store.results import ResultStore, digest_of_files

ARRAY = np.zeros((4, 4, 3), np.float32)


def test_where_nothing_can_be_stored_it_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    in_the_way = tmp_path / "results"
    in_the_way.write_text("a file where the folder should be")
    store = ResultStore(in_the_way)
    with caplog.at_level(logging.WARNING):
        assert not store.put("ab12", ARRAY, {})
        assert not store.put("cd34", ARRAY, {})
    assert [record.getMessage().count(str(in_the_way)) > 0 for record in caplog.records] == [True]
    assert store.get("ab12") is None
    assert ResultStore(tmp_path / "elsewhere").put("ab12", ARRAY, {})


def test_a_digest_of_files_follows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one")
    (tmp_path / "notes.md").write_text("no code")
    digests = [digest_of_files(tmp_path, ("*.py",))]
    assert digests[0] == digest_of_files(tmp_path, ("*.py",))
    (tmp_path / "notes.md").write_text("other words")
    assert digest_of_files(tmp_path, ("*.py",)) == digests[0]
    (tmp_path / "a.py").write_text("two")
    digests.append(digest_of_files(tmp_path, ("*.py",)))
    (tmp_path / "b.py").write_text("")
    digests.append(digest_of_files(tmp_path, ("*.py",)))
    assert len(set(digests)) == 3
