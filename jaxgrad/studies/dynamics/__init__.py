"""Experiments on the dynamics of training: whether the loss stops falling because gradients vanish, or because the law
of the weights no longer changes."""
