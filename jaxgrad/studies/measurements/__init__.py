"""Measurements of a machine, as files give them, and how far figures of ours are from them."""
