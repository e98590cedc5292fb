"""What one element costs a vector unit, by primitive: the table that ``vector`` counts by.

One operation is one lane of a vector unit busy for one cycle. Every arithmetic, comparison, selection or
transcendental primitive is one operation an element of its result: vector units of accelerators have a table or a
pipeline for exp, rsqrt, tanh and their like, and issue one a cycle. A view is none.
"""

from __future__ import annotations

import math

from jax.extend.core import JaxprEqn

# Other names for elements that are there already: no operation, no memory of their own. A concatenation's parts are
# taken to be written where they belong, a slice to be read where it lies, a cast to be done on the way.
VIEWS = frozenset({
    "broadcast_in_dim", "broadcast", "concatenate", "convert_element_type", "copy", "copy_p", "dynamic_slice",
    "expand_dims", "name", "optimization_barrier", "pad", "pbroadcast", "pvary", "rev", "reduce_precision",
    "reshape", "sharding_constraint", "slice", "split", "squeeze", "stop_gradient", "transpose", "bitcast_convert_type",
    "random_wrap", "random_unwrap", "real", "imag", "symbolic_zeros", "dynamic_update_slice",
})  # fmt: skip
CUTS = frozenset({"slice", "dynamic_slice", "split"})  # views of a part
# Made in place, from no memory.
MADE = frozenset({"iota", "empty", "empty2", "create_token", "axis_index", "random_seed", "random_clone"})
# Fusion barriers: nothing that reads their result can share a pass over the elements with them.
REDUCTIONS = frozenset({
    "argmax", "argmin", "cumlogsumexp", "cummax", "cummin", "cumprod", "cumsum", "reduce", "reduce_and", "reduce_max",
    "reduce_min", "reduce_or", "reduce_prod", "reduce_sum", "reduce_xor", "sort", "top_k", "approx_top_k",
    "psum", "psum2", "psum_invariant", "pmax", "pmin", "all_gather", "reduce_scatter", "all_to_all", "ppermute",
})  # fmt: skip
WINDOWS = frozenset({
    "reduce_window", "reduce_window_sum", "reduce_window_max", "reduce_window_min", "select_and_scatter_add",
    "select_and_gather_add", "select_and_scatter", "reduce_window_prod",
})  # fmt: skip
GATHERS = frozenset({"gather", "scatter", "scatter-add", "scatter_add", "scatter-mul", "scatter-min", "scatter-max"})
RANDOM = frozenset({"random_bits", "threefry2x32", "random_fold_in", "random_split"})
# Factorisations, decompositions and triangular solves: LAPACK's on a CPU, no work of an array or a vector unit.
LAPACK = frozenset({
    "cholesky", "cholesky_update", "eig", "eigh", "hessenberg", "householder_product", "lu", "ormqr", "qr", "schur",
    "svd", "symmetric_product", "triangular_solve", "tridiagonal", "tridiagonal_solve",
})  # fmt: skip
BARRIERS = REDUCTIONS | WINDOWS | GATHERS | RANDOM | LAPACK | {"fft"}


def shape_of(variable: object) -> tuple[int, ...]:
    """The shape of a variable or literal of a jaxpr; () of what is no array, such as a token."""
    return getattr(getattr(variable, "aval", None), "shape", ())


def elements(variable: object) -> int:
    """Elements of a variable or literal of a jaxpr."""
    return math.prod(shape_of(variable))


def operations(equation: JaxprEqn) -> int:
    """Operations of a vector unit that one run of the equation takes.

    A reduction takes one an element that goes in; a pooling window one an element of each window; the gradient of a
    maximum's pooling a comparison an element of each window and an addition a window; a scattered addition one an
    element that is added; a sort ``n ceil(log2 n)`` comparisons, and a Fourier transform as many butterflies; an
    integer power its multiplications by squaring. What LAPACK does is not counted.
    """
    name = equation.primitive.name
    out = sum(elements(variable) for variable in equation.outvars)
    first = elements(equation.invars[0]) if equation.invars else 0
    if name in VIEWS | MADE | LAPACK or name in ("gather", "scatter"):
        return 0
    if name == "sort":
        size = max(1, equation.invars[0].aval.shape[equation.params["dimension"]])  # pyright: ignore[reportAttributeAccessIssue]  # an array's
        return first * math.ceil(math.log2(size))
    if name == "fft":
        return out * math.ceil(math.log2(max(1, math.prod(equation.params["fft_lengths"]))))
    if name in WINDOWS:
        window = math.prod(equation.params["window_dimensions"])
        return first * (window + 1) if name.startswith("select_and_scatter") else out * window
    if name in REDUCTIONS:
        return first
    if name in GATHERS:
        return elements(equation.invars[-1])
    if name == "integer_pow":
        power = abs(equation.params["y"])
        return out * max(1, power.bit_length() + power.bit_count() - 2)
    return out
