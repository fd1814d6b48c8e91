"""The registry of output steps: what a client gets instead of the model's own probabilities.

Adding one = one file, and one line here; the contract tests find it. A step keeps its row's sum, but for ClassLabels
(one-hot), Rounded and HighConfidence, which are as in ART.
"""

from collections.abc import Sequence

from gateway.outputs.class_labels import ClassLabels
from gateway.outputs.gaussian_noise import GaussianNoise
from gateway.outputs.high_confidence import HighConfidence
from gateway.outputs.maximising_angular_deviation import MaximisingAngularDeviation
from gateway.outputs.reverse_sigmoid import ReverseSigmoid
from gateway.outputs.rounded import Rounded
from gateway.outputs.rows import Asked, is_label, labels
from gateway.outputs.temperature import Temperature
from gateway.outputs.top import kept_top
from gateway.outputs.top_k import TopK
from gateway.tensors import Floats

Output = (
    ClassLabels
    | GaussianNoise
    | HighConfidence
    | MaximisingAngularDeviation
    | ReverseSigmoid
    | Rounded
    | Temperature
    | TopK
)
DECIMALS = 6  # of the step by which a tied top class is lifted, where nothing is rounded


def served(steps: Sequence[Output], asked: Asked, keep_top: bool = True) -> Floats:
    """Return what is served, float32 [n, K]: each step gets what the one before made; without steps the very array.

    With `keep_top` the model's top class is the only highest of each row at the end, whatever the steps made of it.
    """
    if not steps:
        return asked.probabilities
    answer = asked.probabilities
    for step in steps:
        answer = step.apply(Asked(asked.model, answer, asked.secret))
    if not keep_top:
        return answer
    decimals = min((step.decimals for step in steps if isinstance(step, Rounded)), default=DECIMALS)
    return kept_top(answer, asked.probabilities, decimals)


__all__ = [
    "Asked",
    "ClassLabels",
    "GaussianNoise",
    "HighConfidence",
    "MaximisingAngularDeviation",
    "Output",
    "ReverseSigmoid",
    "Rounded",
    "Temperature",
    "TopK",
    "is_label",
    "labels",
    "served",
]
