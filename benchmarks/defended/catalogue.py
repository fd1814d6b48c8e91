"""The defences compared, by name. Whoever adds one writes a line here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from benchmarks.arena.data import Floats, Labels
from benchmarks.arena.victim import Victim
from detector.decision import Action
from gateway.outputs import (
    Asked,
    ClassLabels,
    GaussianNoise,
    HighConfidence,
    MaximisingAngularDeviation,
    Output,
    ReverseSigmoid,
    Rounded,
    Temperature,
    TopK,
    served,
)
from gateway.policy import Defences
from gateway.watermark.dawn import Marking, marked

SECRET: Final = b"a secret of the gateway that no thief knows"
THIEF: Final = "thief"
STICKS: Final = 1  # the member that a sticky ensemble gives the thief


@dataclass(frozen=True, slots=True)
class Defence:
    """What is done to the answers: output steps, an ensemble of several models, a share of them marked."""

    steps: tuple[Output, ...] = ()
    members: Literal["one", "average", "sticky"] = "one"
    marks: float = 0.0

    @property
    def keeps_top(self) -> bool:
        """Tell whether every answer has the undefended model's top class."""
        return self.members == "one" and not self.marks

    def after(self, inputs: Floats, truth: Floats) -> Floats:
        """Return what is served for true answers f4[n, K] to inputs f4[n, D]."""
        rows = served(self.steps, Asked("victim", truth, SECRET))
        return marked(inputs, rows, Marking(SECRET, THIEF, "victim", self.marks))[0] if self.marks else rows


UNDEFENDED: Final = "undefended"
FLOOR: Final = "class labels"
POLICY: Final = "default policy, suspected"
INDEPENDENT: Final = "gaussian noise, independent"
DEFENCES: Final[dict[str, Defence]] = {  # the default policy leaves a clear client undefended, but for limits
    UNDEFENDED: Defence(),
    "rounded to 1 decimal": Defence((Rounded(decimals=1),)),
    FLOOR: Defence((ClassLabels(),)),
    POLICY: Defence(Defences().response(Action.THROTTLE).outputs),
    "high confidence": Defence((HighConfidence(),)),
    "top 3": Defence((TopK(k=3),)),
    "temperature 4": Defence((Temperature(temperature=4.0),)),
    "reverse sigmoid": Defence((ReverseSigmoid(),)),
    "gaussian noise": Defence((GaussianNoise(),)),
    INDEPENDENT: Defence((GaussianNoise(deterministic=False),)),
    "angular deviation": Defence((MaximisingAngularDeviation(),)),
    "ensemble average": Defence(members="average"),
    "ensemble sticky": Defence(members="sticky"),
    "labels, 1 % marked": Defence((ClassLabels(),), marks=0.01),
    "labels, 2 % marked": Defence((ClassLabels(),), marks=0.02),
    "labels, 5 % marked": Defence((ClassLabels(),), marks=0.05),
}


def answering(defence: Defence, victims: Sequence[Victim]) -> Victim:
    """Return the defended model as a victim; only the ensembles ask others than the first."""

    def forward(inputs: Floats) -> Floats:
        return defence.after(inputs, truth(defence, victims, inputs))

    return Victim(forward, [], victims[0].accuracy)


def truth(defence: Defence, victims: Sequence[Victim], inputs: Floats) -> Floats:
    """Return the probabilities f4[n, K] before any output step."""
    if defence.members == "average":
        return np.asarray(np.mean([victim.ask(inputs) for victim in victims], axis=0), np.float32)
    return victims[STICKS if defence.members == "sticky" else 0].ask(inputs)


def goals(defence: Defence, victims: Sequence[Victim], inputs: Floats) -> list[Labels]:
    """Return the labels that a copy is compared with: those of the model, of a sticky ensemble each member's in turn.

    Of a sticky ensemble others than the thief are answered by other members.
    """
    if defence.members == "sticky":
        return [victim.ask(inputs).argmax(1) for victim in victims]
    return [truth(defence, victims, inputs).argmax(1)]
