"""Learn a population from past queries: what a model's ordinary clients look like together. Pure, deterministic."""

from detector.learning.making import learn
from detector.learning.past import LearnError

__all__ = ["LearnError", "learn"]
