"""The forward pass of an ONNX model as a JAX function of its weights."""
