"""Keras models by name and version, each behind a worker with micro-batches: loading, reload, ensembles.

The only room that imports TensorFlow, and that only when a model is loaded (`gateway.serving.loading`).
"""

from gateway.serving.batching import QUEUE_MAX, Served
from gateway.serving.ensemble import Ensemble, Ensembled
from gateway.serving.lineup import Lineup
from gateway.serving.loading import held, load, opened
from gateway.serving.model import BadAnswer, BadModel, Busy, Floats, Model
from gateway.serving.models import Models

__all__ = [
    "QUEUE_MAX",
    "BadAnswer",
    "BadModel",
    "Busy",
    "Ensemble",
    "Ensembled",
    "Floats",
    "Lineup",
    "Model",
    "Models",
    "Served",
    "held",
    "load",
    "opened",
]
