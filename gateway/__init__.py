"""What stands in front of a Keras model: access, limits, perturbation, decisions in force, the query log.

Imports nothing of `consumers` and needs no database. TensorFlow is imported only when a model is
loaded (`gateway.serving`), Kafka only through `gateway.kafka`.
"""

from gateway.middleware import Middleware
from gateway.wrapping import wrap

__all__ = ["Middleware", "wrap"]
