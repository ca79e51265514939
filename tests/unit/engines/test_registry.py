from pathlib import Path

import numpy as np

from engines.registry import open_engine


def test_open_engine_gives_answers_that_depend_on_the_crop(tiny_model_path: Path) -> None:
    engine = open_engine(tiny_model_path)
    crops = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    logits = engine.infer(crops)
    engine.close()
    assert logits.shape == (20, 8)
    assert logits.dtype == np.float32
    assert len(set(logits.argmax(axis=1))) > 1
