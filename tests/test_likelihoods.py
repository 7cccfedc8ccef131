"""The PyTensor side of the interval probabilities."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode, get_mode
from pytensor.gradient import DisconnectedInputError
from pytensor.graph import vectorize_graph
from pytensor.link.numba.dispatch.basic import numba_funcify_and_cache_key

from intlmodels.core.rounding import grid, intervals
from intlmodels.models.share import model, observation

LAWS = {
    "beta": (model.interval_logprob, observation.interval_logprob_numpy),
    "logit-normal": (
        model.logit_normal_interval_logprob,
        observation.logit_normal_interval_logprob_numpy,
    ),
}
LOWER, UPPER = intervals(grid(20), 20)  # six bins, both ends among them
FIRST = np.array([0.4, 1.0, 2.2, 30.0, 0.05, 3.0])
SECOND = np.array([1.5, 0.8, 2.0, 40.0, 0.6, 0.5])

law = pytest.mark.parametrize("law", LAWS)


def compiled(variable, first, second, mode):
    gradient = pytensor.grad(variable.sum(), [first, second])
    return pytensor.function([first, second], [variable, *gradient], mode=mode)


@law
@pytest.mark.parametrize("mode", ["NUMBA", Mode(linker="py")], ids=["numba", "python"])
def test_value_and_gradient_are_the_kernel_s(law, mode):
    symbolic, numeric = LAWS[law]
    first, second = pt.vectors("first", "second")
    function = compiled(symbolic(first, second, LOWER, UPPER), first, second, mode)
    expected = numeric(FIRST, SECOND, LOWER, UPPER)
    for found, true in zip(function(FIRST, SECOND), expected, strict=True):
        np.testing.assert_allclose(found, true, rtol=1e-12)


@law
def test_gradient_against_finite_differences(law):
    symbolic, numeric = LAWS[law]
    first, second = pt.col("first"), pt.vector("second")
    function = compiled(symbolic(first, second, LOWER, UPPER), first, second, "NUMBA")
    point = [np.array([[0.4], [2.0]]), SECOND]  # broadcast: the gradient is summed
    found = function(*point)[1:]
    step = 1e-6
    for argument, gradient in enumerate(found):
        for index in np.ndindex(*point[argument].shape):
            sums = []
            for sign in (1, -1):
                moved = [values.copy() for values in point]
                moved[argument][index] += sign * step
                sums.append(numeric(*moved, LOWER, UPPER)[0].sum())
            slope = (sums[0] - sums[1]) / (2 * step)
            np.testing.assert_allclose(gradient[index], slope, rtol=1e-5, atol=1e-6)


@law
def test_every_argument_broadcasts(law):
    symbolic, numeric = LAWS[law]
    first, second = pt.scalar("first"), pt.matrix("second")
    function = compiled(symbolic(first, second, LOWER, UPPER), first, second, "NUMBA")
    values = np.stack([SECOND, SECOND + 1])
    logp, d_first, d_second = numeric(0.7, values, LOWER, UPPER)
    found = function(0.7, values)
    np.testing.assert_allclose(found[0], logp, rtol=1e-12)
    np.testing.assert_allclose(found[1], d_first.sum(), rtol=1e-12)
    np.testing.assert_allclose(found[2], d_second, rtol=1e-12)


@law
def test_vectorized_over_draws_equals_a_loop(law):
    symbolic, numeric = LAWS[law]
    first, second = pt.vectors("first", "second")
    batch = pt.matrix("batch")
    over_draws = vectorize_graph(symbolic(first, second, LOWER, UPPER), {first: batch})
    function = pytensor.function([batch, second], over_draws, mode="NUMBA")
    draws = FIRST * np.linspace(0.5, 2, 4)[:, None]
    found = function(draws, SECOND)
    assert found.shape == (4, 6)
    for row, draw in zip(found, draws, strict=True):
        np.testing.assert_allclose(row, numeric(draw, SECOND, LOWER, UPPER)[0], rtol=1e-12)


def test_shape_needs_no_evaluation():
    first, second = pt.vectors("first", "second")
    shape = model.interval_logprob(first, second, LOWER, UPPER).shape
    function = pytensor.function([first, second], shape, mode=get_mode("NUMBA"))
    names = [str(node.op) for node in function.maker.fgraph.apply_nodes]
    assert not any("IntervalLogProb" in name for name in names), names
    assert function(FIRST, SECOND).tolist() == [6]


def test_integers_and_single_precision_are_computed_in_double():
    logp = model.interval_logprob(np.float32(2), 1, LOWER, UPPER)
    assert {value.dtype for value in (*logp.owner.inputs, logp)} == {"float64"}
    np.testing.assert_allclose(logp.eval(), np.log(UPPER**2 - LOWER**2), rtol=1e-11)


@law
def test_the_ends_have_no_gradient(law):
    symbolic, _ = LAWS[law]
    lower = pt.vector("lower")
    with pytest.raises(DisconnectedInputError):
        pytensor.grad(symbolic(FIRST, SECOND, lower, UPPER).sum(), lower)


@law
def test_second_derivatives_are_refused(law):
    symbolic, _ = LAWS[law]
    first = pt.vector("first")
    gradient = pytensor.grad(symbolic(first, SECOND, LOWER, UPPER).sum(), first)
    with pytest.raises(NotImplementedError, match="no second derivatives"):
        pytensor.grad(gradient.sum(), first)


def test_compiled_graphs_on_disk_know_law_and_kernel(monkeypatch):
    beta, logit_normal = (
        model.BetaIntervalScalarOp(),
        model.LogitNormalIntervalScalarOp(),
    )
    keys = [numba_funcify_and_cache_key(op)[1] for op in (beta, logit_normal)]
    monkeypatch.setattr(model, "_KERNEL_VERSION", "changed")
    keys.append(numba_funcify_and_cache_key(beta)[1])
    assert None not in keys
    assert len(set(keys)) == 3
    assert beta == model.BetaIntervalScalarOp()
    assert beta != logit_normal
