"""A part of the fault matrix in every run; `make soak` runs the whole of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.fault_matrix import FAULTS, Matrix
from tests.faults.random_recipes import LEFT_BEHIND, soaked
from tests.standin.server import GRADIOS

pytestmark = pytest.mark.slow
MODE = "batch"
KINDS = 8


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return Matrix.started(GRADIOS[-1])


@pytest.fixture(scope="module")
def calls(matrix: Matrix) -> list[str]:
    return matrix.calls(MODE)


def chosen() -> Iterator[tuple[int, str]]:
    """Every kind of call with one fault or two, every fault at some kind of call."""
    for number, fault in enumerate(FAULTS):
        yield number % KINDS, fault
        yield (number + 4) % KINDS, fault


def test_every_kind_of_call_is_made(calls: list[str]) -> None:
    kinds = ["checkpoint", "encode", "networks", "conditioning", "step", "decode", "restoration", "upscaler"]
    assert list(dict.fromkeys(calls))[: len(kinds)] == kinds


@pytest.mark.parametrize(("kind", "fault"), list(chosen()))
def test_after_a_fault_picture_and_host_are_as_they_should_be(
    matrix: Matrix, calls: list[str], kind: int, fault: str
) -> None:
    kinds = list(dict.fromkeys(calls))
    name = kinds[kind % len(kinds)]
    # The last one of its kind: then every stage before it has something to lose.
    number = max(index for index, other in enumerate(calls) if other == name)
    found = matrix.outcome(MODE, number, name, fault)
    assert not found.wrong, f"{found.became}: {found.wrong}"


def test_random_recipes_give_what_they_promise_and_leave_nothing_behind(matrix: Matrix) -> None:
    found = soaked(matrix, count=16, seed=1)
    assert not found.wrong
    # Rings of objects that held each picture until Python looked for them came to 30 MiB a generation.
    assert found.mebibytes < 2 * LEFT_BEHIND
    assert found.handles < 1
