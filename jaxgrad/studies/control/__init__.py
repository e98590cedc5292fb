"""Experiments with a control problem: how well its gradients do where their memory is sampled."""
