"""What estimators ask of the array for the layers of a step that is known by its records."""

from __future__ import annotations

from collections.abc import Callable

from jax.lax import ConvDimensionNumbers

from jaxgrad.array.convolution import Layout
from jaxgrad.autodiff.contraction import Contraction
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.autodiff.estimators.base import Estimator
from jaxgrad.autodiff.estimators.description import Description, describe
from jaxgrad.base.errors import InputError, shown
from jaxgrad.programs import LayerGemm

Estimators = Estimator | Callable[[str], Estimator]
"""One of all layers, or of each by its path, as ``transform.Rules.estimator`` tells."""


def of_record(record: LayerGemm, estimators: Estimators) -> Description:
    """What the record's layer asks for, once: ``times / contraction.groups`` of it are the record's.

    Raises:
        ValueError: a convolution's estimator poses or keeps something of its own, and the record has no geometry.

    >>> from jaxgrad import Gemm
    >>> from jaxgrad.autodiff.estimators import EXACT
    >>> of_record(LayerGemm("dense", Gemm(8, 9, 10), 1, needs_dx=True), EXACT).stored_words
    72
    """
    estimator = estimators if isinstance(estimators, Estimator) else estimators(record.path)
    told = describe(estimator, contraction_of(record), dx=record.needs_dx, dw=record.needs_dw)
    if record.x_words and record.convolution is None:
        # Its sizes are those of a product of matrices: enough for what runs on the layer's own GEMM.
        runs = (*told.forward, *told.backward)
        own = record.gemm.batch * record.gemm.in_features
        if told.stored_words not in (0, own) or any(run.gemm != record.gemm or run.columns for run in runs):
            raise InputError(
                "estimator",
                estimator,
                "call describe with its contraction",
                problem=f"got {shown(estimator)} for {record.path}, of which only sizes are known",
            )
    return told


def contraction_of(record: LayerGemm) -> Contraction:
    """The record's product: its convolution, all groups together, or one of its GEMMs, of matrices."""
    geometry, gemm = record.convolution, record.gemm
    if geometry is None:
        axes = ((), (0,), (1,)), ((), (1,), (0,))
        return DotGeneral(*axes, (gemm.batch, gemm.in_features), (gemm.in_features, gemm.out_features), None, None)
    image, channels = len(geometry.image), geometry.in_channels // geometry.groups
    lhs = (geometry.batch, *geometry.image, geometry.in_channels)
    rhs = (*geometry.kernel, channels, geometry.out_channels)
    last = (0, image + 1, *range(1, image + 1))
    numbers = ConvDimensionNumbers(last, (image + 1, image, *range(image)), last)
    return ConvGeneralDilated(geometry, Layout.of(lhs, rhs, numbers), numbers, None, None)
