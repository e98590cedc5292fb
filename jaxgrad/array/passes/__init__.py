"""Dataflows as small passes over PE registers, the combinators that compose them, and the engines that run them."""
