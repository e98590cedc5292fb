"""Speed: what is measured, against what target, and what bounds it."""
