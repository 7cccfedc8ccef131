"""Compiled kernels: log probability of an interval under a Beta or a logit-normal law.

The likelihood of a share printed after rounding is log(F(upper) - F(lower)). Taken as written
it loses all its digits in the tails, and for a Beta its gradient in the shapes has no closed form.
Here the mass of the interval is summed from positive terms, and the gradient from the same sums.

Beta. With t = logit(s) the mass is the integral of exp(alpha log s + beta log(1 - s)) dt over
the interval, divided by the Beta function. The gradient in the shapes is the mean of log s and
log(1 - s) over the interval minus that over (0, 1), which is a difference of digamma functions.

* Away from 0 and 1: Gauss-Legendre with 16 points on the logit scale. One panel serves as long as
  it is short and the log integrand varies little over it; else panels whose length follows slope
  and curvature are laid from the mode outwards, until the rest is below e^-40 of the whole (the
  integrand is log-concave).
* Next to 0 (mirrored, next to 1), where the logit scale has no end: the power series of the
  incomplete Beta function (DLMF 8.17.7) as far as it takes few terms, then panels.

Logit-normal. The same rule on the normal scale; upper tails by Mills' ratio if the interval is
wide.

Every sum has a fixed order and nothing is fused, so that the results, and with them the draws, are
the same to the bit on processors with wide vectors, narrow ones or none. Loops are vectorised all
the same: they leave their terms on the stack, and these are added afterwards.

Measured on 22 printed shares, value and gradient (AMD EPYC Zen 4, numba 0.68, interleaved minima):
3.1 microseconds, and 3.0 if the compiler may reorder the sums, against 1.2 for a plain Beta density
compiled likewise, 18 for the value alone by SciPy's betainc and 99 with its finite differences. In
the share model a leapfrog step of nutpie takes a third longer than with the plain density, and
compiling takes as long. Errors for shapes from 0.01 to 1000, against arithmetic of 70 and more
digits: below 1e-11, in the log and, relative where they are above 1, in the derivatives.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from intlmodels.models.interpreter import numbers

Array = npt.NDArray[np.float64]
Triple = tuple[float, float, float]

# Positive half of the 16 point Gauss-Legendre rule on [-1, 1], rounded correctly: pairs of nodes.
# fmt: off
_PAIRS = 8
_NODES = np.array([
    0.09501250983763744, 0.2816035507792589, 0.45801677765722737, 0.6178762444026438,
    0.755404408355003, 0.8656312023878318, 0.9445750230732326, 0.9894009349916499,
])
_WEIGHTS = np.array([
    0.1894506104550685, 0.18260341504492358, 0.16915651939500254, 0.14959598881657674,
    0.12462897125553388, 0.09515851168249279, 0.062253523938647894, 0.027152459411754096,
])
# fmt: on

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_SQRT_HALF_PI = math.sqrt(0.5 * math.pi)

# Bounds of one panel: half its length on the logit scale (the polynomials in `_panel` are exact to
# the last bits up to there), and how far the log integrand may lie from its value at the midpoint
# (16 points then integrate it to a relative error below 1e-10: worst for a normal peak, whose
# error is 3e-11 at 6.5 and 2e-9 at 9; an exponential is exact to 1e-15).
_MAX_HALF = 0.7
_MAX_VARIATION = 6.5
# Panels stop where the log integrand has fallen this far below its maximum: e^-40 = 4e-18.
_DROP = 40.0
# The series next to 0 is used up to this share, and up to this multiple of 1 / |beta - 1|: at most
# some 30 terms, and cancellation between them costs at most two digits.
_SERIES_SHARE = 0.25
_SERIES_REACH = 2.0
# Shapes are taken as at least and at most this, as are |mu| and sigma. Beyond, all mass is at one
# point or at both ends, and what matters is that nothing overflows.
_MIN_SHAPE = 1e-150
_MAX_SHAPE = 1e10
_MIN_SIGMA = 1e-60
_MAX_SIGMA = 1e60
_MAX_MU = 1e60
# A lower end below this is taken as 0: its odds would overflow.
_MIN_LOWER = 1e-300
# Upper tails beyond this many standard deviations: Mills' ratio by its asymptotic series.
_FAR_TAIL = 20.0

# Coefficients of the power series of exp, cosh, sinh and atanh.
_E2, _E3, _E4, _E5, _E6, _E7, _E8, _E9, _E10 = (1.0 / math.factorial(n) for n in range(2, 11))
_C1, _C2, _C3, _C4, _C5, _C6 = (1.0 / math.factorial(2 * n) for n in range(1, 7))
_S1, _S2, _S3, _S4, _S5, _S6 = (1.0 / math.factorial(2 * n + 1) for n in range(1, 7))
_A1, _A2, _A3, _A4, _A5, _A6, _A7, _A8, _A9 = (1.0 / (2 * n + 1) for n in range(1, 10))

# numba's default division raises ZeroDivisionError, and the check keeps loops from being
# vectorised; the numpy model divides as IEEE 754 does. No fast mathematics: see above.
_jit = njit(error_model="numpy")
# Compiled code is kept on disk for what Python calls; the rest is part of it. All of it is in this
# file, since numba looks for changes in the file of the function alone.
_entry = njit(error_model="numpy", cache=True)


@intrinsic
def _terms(typing):  # type: ignore[no-untyped-def]
    """Room on the stack for three terms of each pair of nodes; an array would be on the heap."""

    def allocate(context, builder, *_):  # type: ignore[no-untyped-def]
        number = context.get_value_type(types.float64)
        return cgutils.alloca_once(builder, number, size=3 * _PAIRS)

    return types.CPointer(types.float64)(), allocate


@_jit
def _totals(terms) -> Triple:  # type: ignore[no-untyped-def]
    """Sums of the three terms, in one order on every processor."""
    for i in range(3):
        o = _PAIRS * i
        even = (terms[o] + terms[o + 4]) + (terms[o + 2] + terms[o + 6])
        terms[o] = even + ((terms[o + 1] + terms[o + 5]) + (terms[o + 3] + terms[o + 7]))
    return terms[0], terms[_PAIRS], terms[2 * _PAIRS]


@_jit
def _exp(x: float) -> float:
    """exp(x) for |x| up to some 16, by polynomial: unlike math.exp, it vectorises."""
    r = x * (1.0 / 64.0)
    r2 = r * r
    r4 = r2 * r2
    low = (1.0 + r) + r2 * (_E2 + _E3 * r)
    high = (_E4 + _E5 * r) + r2 * (_E6 + _E7 * r) + r4 * ((_E8 + _E9 * r) + r2 * _E10)
    y = low + r4 * high
    y *= y
    y *= y
    y *= y
    y *= y
    y *= y
    return y * y


@_jit
def _log1p(y: float) -> float:
    """log(1 + y) for -0.3 < y < 0.42, as 2 atanh(y / (2 + y))."""
    w = y / (2.0 + y)
    z = w * w
    z2 = z * z
    low = (1.0 + _A1 * z) + z2 * (_A2 + _A3 * z)
    high = (_A4 + _A5 * z) + z2 * (_A6 + _A7 * z) + z2 * z2 * (_A8 + _A9 * z)
    return 2.0 * w * (low + z2 * z2 * high)


@_jit
def _panel(slope: float, shapes: float, tilt: float, half: float) -> Triple:
    """Integrate the Beta kernel on the logit scale over one panel.

    With d the distance from the midpoint m, the log integrand relative to the midpoint is
    (alpha - beta) d / 2 - (alpha + beta) L(d), L(d) = log(cosh(d / 2) + tanh(m / 2) sinh(d / 2)).

    Arguments: (alpha - beta) / 2, alpha + beta, tanh(m / 2), half the length of the panel.
    Returns the integral and those weighted by d and by L(d).
    """
    terms = _terms()
    for j in range(_PAIRS):
        d = half * _NODES[j]
        y = 0.5 * d
        z = y * y
        z2 = z * z
        z4 = z2 * z2
        cosh = z * ((_C1 + _C2 * z) + z2 * (_C3 + _C4 * z) + z4 * (_C5 + _C6 * z))
        sinh = y * ((1.0 + _S1 * z) + z2 * (_S2 + _S3 * z) + z4 * ((_S4 + _S5 * z) + z2 * _S6))
        right = _log1p(cosh + tilt * sinh)
        left = _log1p(cosh - tilt * sinh)
        f_right = _WEIGHTS[j] * _exp(slope * d - shapes * right)
        f_left = _WEIGHTS[j] * _exp(-slope * d - shapes * left)
        terms[j] = f_right + f_left
        terms[_PAIRS + j] = d * (f_right - f_left)
        terms[2 * _PAIRS + j] = f_right * right + f_left * left
    mass, first, second = _totals(terms)
    return half * mass, half * first, half * second


@_jit
def _shifted(x: float) -> Triple:
    """Return x + 8, x (x + 1) ... (x + 7) and the log derivative of that; x, 1, 0 if x >= 8."""
    if x >= 8.0:
        return x, 1.0, 0.0
    product = x
    derivative = 1.0
    for k in range(1, 8):
        factor = x + k
        derivative = derivative * factor + product
        product *= factor
    return x + 8.0, product, derivative / product


@_jit
def _stirling(z: float) -> tuple[float, float]:
    """For z >= 8, the tail of Stirling's series (DLMF 5.11.1) and log z - digamma (5.11.2)."""
    r = 1.0 / z
    q = r * r
    tail = 1 / 1188 + q * (-691 / 360360 + q * (1 / 156 - q * (3617 / 122400)))
    tail = r * (1 / 12 + q * (-1 / 360 + q * (1 / 1260 + q * (-1 / 1680 + q * tail))))
    psi = 1 / 132 + q * (-691 / 32760 + q * (1 / 12 - q * (3617 / 8160)))
    psi = q * (1 / 12 + q * (-1 / 120 + q * (1 / 252 + q * (-1 / 240 + q * psi))))
    return tail, 0.5 * r + psi


@_jit
def _log_beta(alpha: float, beta: float) -> Triple:
    """Return the log of the Beta function and its derivatives in alpha and beta."""
    za, product_a, shift_a = _shifted(alpha)
    zb, product_b, shift_b = _shifted(beta)
    zc, product_c, shift_c = _shifted(alpha + beta)
    tail_a, lag_a = _stirling(za)
    tail_b, lag_b = _stirling(zb)
    tail_c, lag_c = _stirling(zc)
    # Logs relative to that of the sum: large shapes then cost few digits.
    log_a = math.log(za / zc)
    log_b = math.log(zb / zc)
    excess = za + zb - zc
    value = (za - 0.5) * log_a + (zb - 0.5) * log_b + (excess - 0.5) * math.log(zc) - excess
    value += _HALF_LOG_2PI + tail_a + tail_b - tail_c
    value -= math.log(product_a * (product_b / product_c))
    psi_c = lag_c + shift_c
    return value, log_a - lag_a - shift_a + psi_c, log_b - lag_b - shift_b + psi_c


@_jit
def _series(alpha: float, beta: float, share: float) -> Triple:
    """Log of the integral of s^(alpha - 1) (1 - s)^(beta - 1) from 0 to share, and its gradient.

    share^alpha / alpha times 1 + alpha sum_n c_n / (alpha + n), c_n = (1 - beta)_n share^n / n!.
    """
    term = 1.0
    n = term_beta = total = total_alpha = total_beta = 0.0
    while abs(term) + abs(term_beta) > 1e-18:
        n += 1.0
        f = share / n
        term_beta = f * ((n - beta) * term_beta - term)
        term *= f * (n - beta)
        r = 1.0 / (alpha + n)
        total += term * r
        total_alpha += term * n * r * r
        total_beta += term_beta * r
    total = 1.0 + alpha * total
    log_share = math.log(share)
    mass = alpha * log_share + math.log(total / alpha)
    return mass, log_share - 1.0 / alpha + total_alpha / total, alpha * total_beta / total


@_jit
def _point(alpha: float, beta: float, t: float) -> tuple[float, float, float, float, float]:
    """Log integrand, log s and log(1 - s) at logit t, and the slope and the curvature there."""
    small = math.exp(-abs(t))
    log_1p = math.log1p(small)
    log_s = min(t, 0.0) - log_1p
    log_r = min(-t, 0.0) - log_1p
    s = 1.0 / (1.0 + small) if t > 0.0 else small / (1.0 + small)
    r = 1.0 / (1.0 + small) if t < 0.0 else small / (1.0 + small)
    value = alpha * log_s + beta * log_r
    return value, log_s, log_r, alpha * r - beta * s, (alpha + beta) * s * r


@_jit
def _march(alpha: float, beta: float, t_lower: float, t_upper: float) -> Triple:
    """Sum panels from the mode outwards; see `_interior` for what is returned."""
    shapes = alpha + beta
    mode = min(max(math.log(alpha / beta), t_lower), t_upper)
    top = _point(alpha, beta, mode)[0]
    s0 = s1 = s2 = 0.0
    for sign in (-1.0, 1.0):
        left = t_upper - mode if sign > 0.0 else mode - t_lower
        t = mode
        value, _, _, slope, curvature = _point(alpha, beta, t)
        while left > 0.0 and value - top > -_DROP:
            # The curvature grows at most by e^(length of the panel), to at most a quarter of the
            # sum of the shapes. The variation is then at most |slope| half + 3/2 curvature half^2.
            bend = 6.0 * _MAX_VARIATION * min(0.25 * shapes, 4.1 * curvature)
            half = 2.0 * _MAX_VARIATION / (abs(slope) + math.sqrt(slope * slope + bend))
            half = min(half, _MAX_HALF, 0.5 * left)
            middle = t + sign * half
            value, log_s, log_r, _, _ = _point(alpha, beta, middle)
            mass, first, second = _panel(
                0.5 * (alpha - beta), shapes, math.tanh(0.5 * middle), half
            )
            scale = math.exp(value - top)
            s0 += scale * mass
            s1 += scale * (log_s * mass + 0.5 * first - second)
            s2 += scale * (log_r * mass - 0.5 * first - second)
            left -= 2.0 * half
            t += 2.0 * sign * half
            value, _, _, slope, curvature = _point(alpha, beta, t)
    return top + math.log(s0), s1 / s0, s2 / s0


@_jit
def _logit_interval(lower: float, upper: float) -> Triple:
    """Odds and logit of the middle of an interval on the logit scale, and half its length."""
    ratio = (upper - lower) / (lower * (1.0 - upper))
    odds = lower / (1.0 - lower) * math.sqrt(1.0 + ratio)
    return odds, math.log(odds), 0.5 * math.log1p(ratio)


@_jit
def _interior(alpha: float, beta: float, lower: float, upper: float) -> Triple:
    """Log of the integral of s^(alpha - 1) (1 - s)^(beta - 1) and means of log s and log(1 - s)."""
    odds, middle, half = _logit_interval(lower, upper)
    rest = 1.0 / (1.0 + odds)
    shapes = alpha + beta
    bend = shapes * min(0.25, 2.02 * odds * rest * rest)
    variation = (abs(alpha - beta * odds) * rest + 0.5 * bend * half) * half
    if half > _MAX_HALF or variation > _MAX_VARIATION:
        return _march(alpha, beta, middle - half, middle + half)
    log_r = math.log(rest)
    log_s = middle + log_r
    mass, first, second = _panel(0.5 * (alpha - beta), shapes, 1.0 - 2.0 * rest, half)
    first *= 0.5 / mass
    second /= mass
    value = alpha * log_s + beta * log_r + math.log(mass)
    return value, log_s + first - second, log_r - first - second


@_jit
def _join(one: Triple, other: Triple) -> Triple:
    """As `_interior`, for two intervals together."""
    top = max(one[0], other[0])
    total = math.exp(one[0] - top) + math.exp(other[0] - top)
    p = math.exp(one[0] - top) / total
    q = math.exp(other[0] - top) / total
    return top + math.log(total), p * one[1] + q * other[1], p * one[2] + q * other[2]


@_jit
def _reach(beta: float, upper: float) -> float:
    """How far from 0 the series serves."""
    return min(upper, _SERIES_SHARE, _SERIES_REACH / (abs(beta - 1.0) + 1e-3))


@_jit
def _mass(alpha: float, beta: float, lower: float, upper: float) -> Triple:
    """As `_interior`, for any 0 <= lower < upper <= 1."""
    if lower < _MIN_LOWER and upper >= 1.0:
        return _log_beta(alpha, beta)
    if lower < _MIN_LOWER:
        split = _reach(beta, upper)
        near = _series(alpha, beta, split)
        return near if split >= upper else _join(near, _interior(alpha, beta, split, upper))
    if upper >= 1.0:
        split = 1.0 - _reach(alpha, 1.0 - lower)
        value, mean_r, mean_s = _series(beta, alpha, 1.0 - split)
        near = (value, mean_s, mean_r)
        return near if split <= lower else _join(near, _interior(alpha, beta, lower, split))
    return _interior(alpha, beta, lower, upper)


@_entry
def beta_interval(alpha: float, beta: float, lower: float, upper: float) -> Triple:
    """Log probability of an interval of a Beta variable and its derivatives in both shapes.

    Scalar kernel; see `interval_logprob_numpy`.
    """
    if math.isnan(alpha) or math.isnan(beta) or math.isnan(lower) or math.isnan(upper):
        return math.nan, math.nan, math.nan
    if not (alpha >= 0.0 and beta >= 0.0 and lower < upper and lower < 1.0 and upper > 0.0):
        return -math.inf, 0.0, 0.0
    alpha = min(max(alpha, _MIN_SHAPE), _MAX_SHAPE)
    beta = min(max(beta, _MIN_SHAPE), _MAX_SHAPE)
    log_beta, log_beta_alpha, log_beta_beta = _log_beta(alpha, beta)
    value, mean_s, mean_r = _mass(alpha, beta, lower, upper)
    return min(value - log_beta, 0.0), mean_s - log_beta_alpha, mean_r - log_beta_beta


@_jit
def _mills(z: float) -> float:
    """Upper tail of the standard normal over its density, for z >= 0."""
    if z < _FAR_TAIL:
        return _SQRT_HALF_PI * math.exp(0.5 * z * z) * math.erfc(z * math.sqrt(0.5))
    q = 1.0 / (z * z)
    series = 1.0 - 11.0 * q * (1.0 - 13.0 * q)
    series = 1.0 - 5.0 * q * (1.0 - 7.0 * q * (1.0 - 9.0 * q * series))
    return (1.0 - q * (1.0 - 3.0 * q * series)) / z


@_jit
def _normal_tail(low: float, high: float, ratio: float) -> tuple[float, float]:
    """Log probability of (low, high), |low| <= high, and the density at low over the probability.

    The ratio is that of the density at high to the density at low, which low and high no longer
    give when both are large.
    """
    if low > 0.0:
        tail = _mills(low) - ratio * _mills(high)
        return -0.5 * low * low - _HALF_LOG_2PI + math.log(tail), 1.0 / tail
    outside = 0.5 * (math.erfc(-low * math.sqrt(0.5)) + math.erfc(high * math.sqrt(0.5)))
    return math.log1p(-outside), math.exp(-0.5 * low * low - _HALF_LOG_2PI) / (1.0 - outside)


@_jit
def _normal_panel(slope: float, half: float) -> Triple:
    """Integrate exp(-slope x - half^2 x^2 / 2) over [-1, 1]; also weighted by x and by x^2."""
    terms = _terms()
    for j in range(_PAIRS):
        x = _NODES[j]
        bend = 0.5 * half * half * x * x
        f_right = _WEIGHTS[j] * _exp(-slope * x - bend)
        f_left = _WEIGHTS[j] * _exp(slope * x - bend)
        terms[j] = f_right + f_left
        terms[_PAIRS + j] = x * (f_right - f_left)
        terms[2 * _PAIRS + j] = x * x * (f_right + f_left)
    return _totals(terms)


@_entry
def logit_normal_interval(mu: float, sigma: float, lower: float, upper: float) -> Triple:
    """Log probability of an interval of a logit-normal variable and its derivatives.

    Scalar kernel; see `logit_normal_interval_logprob_numpy`.
    """
    if math.isnan(mu) or math.isnan(sigma) or math.isnan(lower) or math.isnan(upper):
        return math.nan, math.nan, math.nan
    if not (sigma >= 0.0 and lower < upper and lower < 1.0 and upper > 0.0):
        return -math.inf, 0.0, 0.0
    if lower < _MIN_LOWER and upper >= 1.0:
        return 0.0, 0.0, 0.0
    mu = min(max(mu, -_MAX_MU), _MAX_MU)
    sigma = min(max(sigma, _MIN_SIGMA), _MAX_SIGMA)
    # By symmetry, upper tails only: `low` is positive unless the mean lies inside the interval.
    ratio = 0.0
    high = 1e130  # as good as infinite, but times 0 it is 0
    if lower >= _MIN_LOWER and upper < 1.0:
        _, middle, half = _logit_interval(lower, upper)
        middle = (middle - mu) / sigma
        half /= sigma
        if (abs(middle) + 0.5 * half) * half <= _MAX_VARIATION:
            s0, s1, s2 = _normal_panel(middle * half, half)
            value = -0.5 * middle * middle - _HALF_LOG_2PI + math.log(half * s0)
            shift = half * s1 / s0
            excess = middle * middle + 2.0 * middle * shift + half * half * s2 / s0 - 1.0
            return value, (middle + shift) / sigma, excess / sigma
        sign = math.copysign(1.0, middle)
        low, high = abs(middle) - half, abs(middle) + half
        ratio = math.exp(-2.0 * abs(middle) * half)
    else:
        sign = 1.0 if upper >= 1.0 else -1.0
        end = lower if upper >= 1.0 else upper
        low = sign * (math.log(end) - math.log1p(-end) - mu) / sigma
    value, at_low = _normal_tail(low, high, ratio)
    score = low * at_low - high * ratio * at_low
    return min(value, 0.0), sign * (1.0 - ratio) * at_low / sigma, score / sigma


@_entry
def fill_beta(alpha: Array, beta: Array, lower: Array, upper: Array, out: Array) -> None:
    """Put `beta_interval` of every element into the rows of out."""
    for i in range(alpha.size):
        out[0, i], out[1, i], out[2, i] = beta_interval(alpha[i], beta[i], lower[i], upper[i])


@_entry
def fill_normal(mu: Array, sigma: Array, lower: Array, upper: Array, out: Array) -> None:
    """Put `logit_normal_interval` of every element into the rows of out."""
    for i in range(mu.size):
        out[0, i], out[1, i], out[2, i] = logit_normal_interval(mu[i], sigma[i], lower[i], upper[i])


@_entry
def fill_beta_grid(alpha: Array, beta: Array, lower: Array, upper: Array, out: Array) -> None:
    """Put the probability of every interval, for every pair of shapes (>= 0), into out."""
    for i in range(alpha.size):
        if math.isnan(alpha[i]) or math.isnan(beta[i]):
            out[i] = math.nan
            continue
        a = min(max(alpha[i], _MIN_SHAPE), _MAX_SHAPE)
        b = min(max(beta[i], _MIN_SHAPE), _MAX_SHAPE)
        log_beta = _log_beta(a, b)[0]
        for j in range(lower.size):
            out[i, j] = math.exp(_mass(a, b, lower[j], upper[j])[0] - log_beta)


@_entry
def fill_normal_grid(mu: Array, sigma: Array, lower: Array, upper: Array, out: Array) -> None:
    """Put the probability of every interval, for every mu and sigma, into out."""
    for i in range(mu.size):
        for j in range(lower.size):
            out[i, j] = math.exp(logit_normal_interval(mu[i], sigma[i], lower[j], upper[j])[0])


def beta_intervals(given) -> None:  # type: ignore[no-untyped-def]
    """Of a graph's instructions: `beta_interval` of every element."""
    value, first, second, alpha, beta, lower, upper = _columns(given)
    for i in range(given[1] * given[2]):
        value[i], first[i], second[i] = beta_interval(alpha[i], beta[i], lower[i], upper[i])


def normal_intervals(given) -> None:  # type: ignore[no-untyped-def]
    """Of a graph's instructions: `logit_normal_interval` of every element."""
    value, first, second, mu, sigma, lower, upper = _columns(given)
    for i in range(given[1] * given[2]):
        value[i], first[i], second[i] = logit_normal_interval(mu[i], sigma[i], lower[i], upper[i])


@_jit
def _columns(given):  # type: ignore[no-untyped-def]
    one, other = (numbers(given[0]), numbers(given[3]), numbers(given[6])), numbers(given[9])
    return (*one, other, numbers(given[12]), numbers(given[15]), numbers(given[18]))
