"""ONNX models: their matrix products, with the gradients that training them would need. Needs ``jaxgrad[onnx]``."""

from jaxgrad.interop.onnx.reading import Reading as Reading
from jaxgrad.interop.onnx.reading import read as read

__all__ = ["Reading", "read"]
