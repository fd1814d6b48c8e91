"""Learn a population from past queries: what a model's ordinary clients look like together. Pure, deterministic."""

from detector.learning.answers import Ask
from detector.learning.making import Options, learn
from detector.learning.past import LearnError, bounded, gather
from detector.learning.reference import REFERENCE_MAX, Reference, unanswered

__all__ = [
    "REFERENCE_MAX",
    "Ask",
    "LearnError",
    "Options",
    "Reference",
    "bounded",
    "gather",
    "learn",
    "unanswered",
]
