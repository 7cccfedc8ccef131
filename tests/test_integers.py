"""Integer programs, against going through every point of a box."""

import numpy as np
import pytest

from intlmodels.audit import integers
from intlmodels.audit.integers import AT_LEAST, AT_MOST, EQUAL, Program, TooLongError


def points(low, high):
    grid = np.indices(high - low + 1).reshape(len(low), -1).T
    return grid + low


def every(program, low, high):
    """All points of the box that satisfy the rows."""
    return np.array([x for x in points(low, high) if program.holds(x)]).reshape(-1, len(low))


def random_program(rng):
    n, m = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    matrix = rng.integers(-3, 4, (m, n))
    relation = rng.choice([EQUAL, AT_LEAST, AT_MOST], m)
    low = rng.integers(-2, 2, n)
    high = low + rng.integers(0, 5, n)
    inside = rng.integers(low, high + 1)
    right = matrix @ inside + rng.integers(-1, 2, m)
    return Program(matrix, relation, right), low, high, rng.integers(-4, 5, n)


@pytest.mark.parametrize("seed", range(150))
def test_least_is_that_of_brute_force(seed):
    program, low, high, cost = random_program(np.random.default_rng(seed))
    allowed = every(program, low, high)
    found = program.least(cost, low, high)
    if not len(allowed):
        assert found is None
        return
    value, x = found
    assert value == cost @ x == (allowed @ cost).min()
    assert program.holds(x)
    assert program.least(cost, low, high, below=value) is None
    assert program.least(cost, low, high, below=value + 1)[0] == value
    near = program.near(cost, low, high)
    assert near is None or program.holds(near)


def test_no_multipliers_make_a_bound_or_a_cut_wrong():
    """Whatever the solver says, a bound stays below, and a cut keeps every integer point."""
    rng = np.random.default_rng(1)
    cuts = 0
    for _ in range(500):
        program, low, high, cost = random_program(rng)
        allowed = every(program, low, high)
        point = program._relaxed(cost, low, high)[1]
        if point is None or rng.random() < 0.3:
            point = rng.uniform(low, high)
        for row, right in program._cuts(point, low, high):
            cuts += 1
            assert row @ point > right
            assert (allowed @ row <= right).all()
        if len(allowed):
            y = rng.normal(0, 2, len(program.right))
            assert program._proven(cost, y, low, high) <= (allowed @ cost).min()
    assert cuts > 100


def test_cuts_and_not_splitting_settle_what_no_integers_satisfy(monkeypatch):
    # 7 (x - y) + 14 z = 3: there are fractions in plenty.
    program = Program(np.array([[7, -7, 14]]), np.array([EQUAL]), np.array([3]))
    low, high = np.zeros(3, int), np.full(3, 10_000)
    monkeypatch.setattr(integers, "MOST_STEPS", integers.GUESS + 5)
    assert program.least(np.ones(3, int), low, high) is None


def test_a_solver_that_is_wrong_is_not_believed(monkeypatch):
    # Whether x = 1 is left: the solver denies it, and proves nothing.
    program = Program(np.array([[1]]), np.array([EQUAL]), np.array([1]))
    low, high = np.zeros(1, int), np.full(1, 3)
    monkeypatch.setattr(Program, "_linear", lambda self, *_: (2, None, np.zeros(len(self.right))))
    monkeypatch.setattr(Program, "guess", lambda *_: None)
    assert program.least(np.zeros(1, int), low, high)[0] == 0
    none = Program(np.array([[2]]), np.array([EQUAL]), np.array([3]))
    assert none.least(np.zeros(1, int), low, high) is None


def test_too_many_steps_are_an_error(monkeypatch):
    monkeypatch.setattr(integers, "MOST_STEPS", 0)
    monkeypatch.setattr(integers, "MOST_ROUNDS", 0)
    program = Program(np.array([[2, 2]]), np.array([EQUAL]), np.array([3]))
    with pytest.raises(TooLongError, match="stopped after 0 steps") as error:
        program.least(np.ones(2, int), np.zeros(2, int), np.full(2, 5))
    assert "\n" not in str(error.value)
