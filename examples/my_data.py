"""Data of your own: a function that returns arrays.

jaxgrad train --data examples/my_data.py:stripes --epochs 3
"""

from __future__ import annotations

import numpy as np


def stripes(size=8, images=600):
    """Grey images of noisy stripes, in one of three directions."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, images)
    rows, cols = np.indices((size, size))
    phases = np.stack([rows, cols, rows + cols])[labels]
    pictures = (phases + random.integers(0, 4, (images, 1, 1))) % 4 < 2
    noisy = np.clip(pictures + random.normal(0, 0.2, pictures.shape), 0, 1)
    return {"x_train": noisy.astype(np.float32), "y_train": labels}  # a fifth of each class becomes the test part
