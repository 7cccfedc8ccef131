"""Integer programs solved exactly.

HiGHS solves in floating point; a solution counts once it satisfies every row in integer arithmetic,
and that there is none better counts once the multipliers of a relaxation prove it in integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.studies.counts import RELATIONS

Ints = NDArray[np.int64]

#: Linear programs that one question may ask for; some milliseconds each.
MOST_STEPS = 2_000
#: What an integer program counts for, in linear programs.
GUESS = 50
#: Rounds of cuts before the first box is split, and before any other is.
MOST_ROUNDS, FEWER_ROUNDS = 20, 3
#: Cuts of a round, and the largest coefficient of a cut.
MOST_CUTS, MOST_COEFFICIENT = 40, 100
#: Numbers of the solver within this of an integer are taken for it when choosing where to cut.
NEAR = 1e-6
#: Multipliers beyond this prove nothing: products with them might not fit.
MOST_MULTIPLIER = 1_000_000
#: Parts that multipliers are rounded to: 1 to 16 divide it, so that small fractions are kept.
PARTS = 720_720

EQUAL, AT_LEAST, AT_MOST = range(len(RELATIONS))


class TooLongError(StudyError):
    """A search that would not end in reasonable time."""

    def __init__(self, what: str, most: int) -> None:
        super().__init__(
            f"the audit of the counts was stopped after {most:,} {what}; expected fewer or "
            "simpler counts; leave out counts that others imply"
        )


class Program:
    """Rows ``matrix @ x`` (by position in ``RELATIONS``) ``right`` over integers in a box."""

    def __init__(self, matrix: Ints, relation: Ints, right: Ints) -> None:
        self.matrix, self.relation, self.right = matrix, relation, right
        self.solved = 0  # so far, for those who limit a search
        self._equal = np.flatnonzero(relation == EQUAL)
        self._other = np.flatnonzero(relation != EQUAL)
        # The solver knows "at most" only: "at least" is turned round.
        self._sign = np.where(relation[self._other] == AT_LEAST, -1, 1)

    def with_rows(self, new: Sequence[Ints], relation: int, right: Sequence[int]) -> Program:
        """The same rows and others of one relation."""
        return Program(
            np.vstack([self.matrix, *new]),
            np.concatenate([self.relation, np.full(len(new), relation)]),
            np.concatenate([self.right, np.asarray(right, np.int64)]),
        )

    def _binding(self, point: NDArray[np.float64], first: int) -> Program:
        """The first rows, and of the others those on which a point lies."""
        keep = np.abs(self.matrix @ point - self.right) < NEAR
        keep[:first] = True
        return Program(self.matrix[keep], self.relation[keep], self.right[keep])

    def holds(self, x: Ints) -> bool:
        """Whether integers satisfy every row, in exact arithmetic."""
        off = self.matrix @ x - self.right
        return not np.choose(self.relation, [off != 0, off < 0, off > 0]).any()

    def least(
        self, cost: Ints, low: Ints, high: Ints, below: int | None = None
    ) -> tuple[int, Ints] | None:
        """The least ``cost @ x`` over integers in a box, with an ``x``, by branch and bound."""
        best: tuple[int, Ints] | None = None
        limit = math.inf if below is None else below
        last = self.solved + MOST_STEPS
        root = True
        # Cuts hold in the box where they were found, and in all that it is split into.
        boxes = [(self, MOST_ROUNDS, low, high)]
        while boxes:
            if self.solved > last:
                raise TooLongError("steps for one question", MOST_STEPS)
            tight, rounds, low, high = boxes.pop()
            bound, point = tight._relaxed(cost, low, high)
            self.solved += 1
            if point is None or (bound is not None and bound >= limit):
                continue
            x = self._whole(point, low, high)
            if root and (x is None or int(cost @ x) >= limit):
                x = self.guess(cost, low, high)
            root = False
            if x is not None and int(cost @ x) < limit:
                best, limit = (int(cost @ x), x), int(cost @ x)
            if bound is not None and bound >= limit:
                continue
            # Before anything is split, cut off what is no integer.
            cuts = tight._cuts(point, low, high) if rounds and bound is not None else []
            tight = tight._binding(point, len(self.right))
            if cuts:
                tight = tight.with_rows([row for row, _ in cuts], AT_MOST, [r for _, r in cuts])
                boxes.append((tight, rounds - 1, low, high))
            else:
                boxes += [(tight, FEWER_ROUNDS, *half) for half in _halves(point, low, high)]
        return best

    def near(self, cost: Ints, low: Ints, high: Ints) -> Ints | None:
        """Integers that satisfy the rows at a low cost, found quickly if at all; no proof."""
        _, point = self._relaxed(cost, low, high)
        self.solved += 1
        found = None if point is None else self._whole(point, low, high)
        return self.guess(cost, low, high, gap=0.1) if found is None else found

    def _whole(self, point: NDArray[np.float64], low: Ints, high: Ints) -> Ints | None:
        """A point rounded, if that satisfies the rows and is in the box, in exact arithmetic."""
        x = np.rint(point).astype(np.int64)
        return x if self.holds(x) and (x >= low).all() and (x <= high).all() else None

    def guess(self, cost: Ints, low: Ints, high: Ints, gap: float = 0.0) -> Ints | None:
        """The solver's own integer solution within a relative gap, if it has one that holds."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        self.solved += GUESS
        infinity = np.full(self.right.shape, np.inf)
        result = milp(
            cost,
            integrality=np.ones(cost.shape),
            bounds=Bounds(low, high),
            constraints=LinearConstraint(
                self.matrix,
                np.where(self.relation == AT_MOST, -infinity, self.right),
                np.where(self.relation == AT_LEAST, infinity, self.right),
            ),
            options={"mip_rel_gap": gap, "node_limit": MOST_STEPS, "presolve": False},
        )
        return None if result.x is None else self._whole(result.x, low, high)

    def _cuts(self, point: NDArray[np.float64], low: Ints, high: Ints) -> list[tuple[Ints, int]]:
        """Rows "at most" that every integer solution in the box satisfies, but the point does not.

        Multipliers are read off the basis of the point (Gomory 1958, Bulletin of the AMS 64,
        275-278); the cut follows in integer arithmetic, whatever they are: any sum of multiples of
        the rows may have its coefficients and then its right side rounded down (Chvatal 1973,
        Discrete Mathematics 4, 305-337).
        """
        sign = np.choose(self.relation, [0, -1, 1])
        slack = sign * (self.right - self.matrix @ point)
        inside = (point > low + NEAR) & (point < high - NEAR)
        loose = slack > NEAR
        values = np.concatenate([point[inside], slack[loose]])
        fractional = np.abs(values - np.rint(values)) > NEAR
        if not fractional.any():
            return []
        inverse = _left_inverse(np.hstack([self.matrix[:, inside], np.diag(sign)[:, loose]]))
        if inverse is None:
            return []
        y, unit = inverse[0][fractional], inverse[1]
        parts = np.rint(y * unit).astype(np.int64) % unit
        top = point > high - NEAR
        end = np.where(top, high, low)
        total = parts @ self.matrix
        rows = np.where(top, -(-total // unit), total // unit)
        rest = sign * (sign * parts // unit)
        # Python's own integers where products might not fit.
        right = parts @ self.right - np.asarray(_exact(total, end), object)
        right = right // unit + _exact(rows, end) - _exact(rest, self.right)
        rows = rows - rest @ self.matrix
        short = np.abs(rows).max(axis=1) <= MOST_COEFFICIENT
        cut = rows @ point > right.astype(float) + NEAR
        found = np.flatnonzero(short & cut)[:MOST_CUTS]
        return [(rows[i], int(right[i])) for i in found]

    def _relaxed(
        self, cost: Ints, low: Ints, high: Ints
    ) -> tuple[int | None, NDArray[np.float64] | None]:
        """A lower bound (None: unproven), and the relaxation's point (None: there is none)."""
        status, point, y = self._linear(self.matrix, cost, low, high)
        if status == 0 and point is not None:
            return self._proven(cost, y, low, high), point
        # No point was found: look for the one that misses the rows by least. Its multipliers
        # prove, by Farkas' lemma, that it cannot be mended.
        n = len(self.right)
        apart = np.eye(n, dtype=np.int64)
        wide = np.hstack([self.matrix, apart, -apart])
        status, point, y = self._linear(
            wide,
            np.concatenate([np.zeros_like(cost), np.ones(2 * n, np.int64)]),
            np.concatenate([low, np.zeros(2 * n, np.int64)]),
            np.concatenate([high, np.full(2 * n, np.iinfo(np.int32).max)]),
        )
        if status == 0 and (self._proven(np.zeros_like(cost), y, low, high) or 0) > 0:
            return None, None
        return None, (low + high) / 2

    def _linear(
        self, matrix: Ints, cost: Ints, low: Ints, high: Ints
    ) -> tuple[int, NDArray[np.float64] | None, NDArray[np.float64]]:
        """Solve the relaxation: status, point, multiplier of every row."""
        from scipy.optimize import linprog

        result = linprog(
            cost,
            A_eq=matrix[self._equal],
            b_eq=self.right[self._equal],
            A_ub=self._sign[:, None] * matrix[self._other],
            b_ub=self._sign * self.right[self._other],
            bounds=np.stack([low, high], axis=1),
            method="highs",
        )
        y = np.zeros(len(self.right))
        if result.status == 0:
            y[self._equal] = result.eqlin.marginals
            y[self._other] = self._sign * result.ineqlin.marginals
        return result.status, result.x, y

    def _proven(self, cost: Ints, y: NDArray[np.float64], low: Ints, high: Ints) -> int | None:
        """A lower bound of ``cost @ x`` that holds whatever the multipliers are, in integers.

        ``cost @ x >= y @ right + (cost - y @ matrix) @ x`` where y has the signs that the relations
        ask for; the ends of the box bound the last term (Neumaier and Shcherbina 2004, Mathematical
        Programming 99, 283-296).
        """
        y = np.where(self.relation == AT_LEAST, np.maximum(y, 0.0), y)
        y = np.where(self.relation == AT_MOST, np.minimum(y, 0.0), y)
        if not np.isfinite(y).all() or np.abs(y).max(initial=0.0) > MOST_MULTIPLIER:
            return None
        parts = np.rint(y * PARTS).astype(np.int64)
        rest = PARTS * cost - parts @ self.matrix
        # Python's own integers: they cannot overflow.
        total = sum(p * b for p, b in zip(parts.tolist(), self.right.tolist(), strict=True))
        ends = zip(rest.tolist(), low.tolist(), high.tolist(), strict=True)
        total += sum(r * (a if r > 0 else b) for r, a, b in ends)
        return -(-total // PARTS)


def _exact(matrix: Ints, vector: Ints) -> NDArray[np.object_]:
    """A product in Python's own integers, which cannot overflow."""
    some = vector != 0
    product = matrix[:, some].astype(object) @ vector[some].astype(object)
    return np.asarray(product + np.zeros(len(matrix), object), object)


def _left_inverse(columns: Ints) -> tuple[NDArray[np.float64], int] | None:
    """Multipliers, in parts of one, that turn each column into one and the others into none."""
    # Not by LAPACK, whose threads get in each other's way with matrices as small as these.
    n = columns.shape[1]
    work = np.hstack([columns, np.eye(len(columns))]).astype(float)
    free = np.ones(len(columns), bool)
    chosen, determinant = [], 1.0
    for j in range(n):
        i = int((np.abs(work[:, j]) * free).argmax())
        if not free[i] or abs(work[i, j]) < NEAR:
            return None
        determinant *= work[i, j]
        work[i] /= work[i, j]
        factor = work[:, j].copy()
        factor[i] = 0.0
        work -= np.multiply.outer(factor, work[i])
        free[i] = False
        chosen.append(i)
    unit = round(abs(determinant))
    return work[chosen, n:], unit if 1 < unit <= MOST_MULTIPLIER else PARTS


def _halves(point: NDArray[np.float64], low: Ints, high: Ints) -> list[tuple[Ints, Ints]]:
    """Split a box in two, at the variable that is least an integer; the likelier half last."""
    room = high > low
    if not room.any():
        return []
    fraction = np.abs(point - np.rint(point)) * room
    if fraction.max() > NEAR:
        i = int(fraction.argmax())
        cut = int(np.clip(np.floor(point[i]), low[i], high[i] - 1))
    else:
        i = int((high - low).argmax())
        cut = int(low[i] + high[i]) // 2
    down, up = high.copy(), low.copy()
    down[i], up[i] = cut, cut + 1
    halves = [(up, high), (low, down)]
    return halves if point[i] - cut < 0.5 else halves[::-1]
