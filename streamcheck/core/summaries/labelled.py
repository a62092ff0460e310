"""Rows whose label has joined: what the model said, what was true."""

from dataclasses import dataclass

import numpy as np

from streamcheck.core.plan import Task
from streamcheck.core.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """What did the model say of these rows, and what was true? prediction, label (n,) float64, finite.

    Classes are codes that both share (binary: 1 is the positive class); numbers are themselves. score (n,): the
    probability of the positive class, NaN for rows without one; None where the stream has no score.

    >>> LabelledRows(np.array([1.0, 0.0]), np.array([1.0, 1.0]), None, Task.BINARY).error().tolist()
    [0.0, 1.0]
    """

    prediction: FloatArray
    label: FloatArray
    score: FloatArray | None
    task: Task

    def __len__(self) -> int:
        return len(self.label)

    def cut(self, start: int, stop: int) -> "LabelledRows":
        """The rows from start to before stop; views, nothing is copied."""
        score = None if self.score is None else self.score[start:stop]
        return LabelledRows(self.prediction[start:stop], self.label[start:stop], score, self.task)

    def error(self) -> FloatArray:
        """Each row's error (n,): 0 or 1 for classes, |prediction - label| for numbers, at most the largest float."""
        if self.task is not Task.REGRESSION:
            return np.asarray(self.prediction != self.label, dtype=np.float64)
        return np.abs(self.residual())

    def residual(self) -> FloatArray:
        """How far each prediction (n,) lies above its label, for numbers; at most the largest float in size."""
        with np.errstate(over="ignore"):
            return np.asarray(np.nan_to_num(self.prediction - self.label))
