"""Learn a population from past queries: what a model's ordinary clients look like together. Pure, deterministic."""

from detector.learning.making import Options, learn
from detector.learning.past import LearnError, bounded, gather

__all__ = ["LearnError", "Options", "bounded", "gather", "learn"]
