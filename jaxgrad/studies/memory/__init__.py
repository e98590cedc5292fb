"""Experiments on what a training step stores: activations, of which a share is kept, masks, and weights."""
