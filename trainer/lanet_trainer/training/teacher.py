"""What an exported model says of training pictures, for labels that are not trusted entirely."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lanet_engines.registry import open_engine
from lanet_live.expression.uncertainty import softmax
from lanet_trainer.datasets.prepared import PreparedSplit
from lanet_trainer.errors import ConfigError
from lanet_trainer.training.loader import EvalLoader

_BATCH = 64


def teacher_answers(model: Path, split: PreparedSplit) -> NDArray[np.float32]:
    """Return the model's calibrated probabilities for every sample, (N, C), classes of the split.

    Raises:
        ConfigError: The model does not know all classes of the split.
        EngineError: The model cannot be used.
    """
    engine = open_engine(model)
    try:
        unknown = [name for name in split.class_names if name not in engine.spec.labels]
        if unknown:
            raise ConfigError(f"The teacher '{model.name}' does not know the class {unknown[0]}.")
        batches = EvalLoader(split, size_px=engine.spec.input_size_px, batch_size=_BATCH)
        logits = np.concatenate([engine.infer(crops) for _, crops in batches])
        order = [engine.spec.labels.index(name) for name in split.class_names]
        answers = softmax(logits / engine.spec.temperature)[:, order]
        return (answers / answers.sum(axis=1, keepdims=True)).astype(np.float32)
    finally:
        engine.close()
