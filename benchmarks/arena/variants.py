"""Variants of a theft: labels only, hidden among ordinary questions, dripping slowly, dealt to many identities."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from benchmarks.arena.stream import SECOND, Stream, World

COVERS: Final = {"cover 50": 0.5, "cover 75": 0.75, "cover 90": 0.9}
LENGTHS: Final = {"pure": 400, "labels": 400, "drip": 400, "cover 50": 800, "cover 75": 1_200, "cover 90": 2_000}
"""Queries of a client in each variant, cover included."""
HOUR: Final = 3_600 * SECOND


def covered(world: World, stream: Stream, variant: str) -> Stream:
    """Return the theft's first questions hidden at random places among ordinary ones of honest clients' inputs.

    The cover is disjoint from the thief's seeds, and each ordinary input comes once before any comes again.
    """
    total = LENGTHS[variant]
    theft = min(round(total * (1 - COVERS[variant])), len(stream))
    rng = world.random("cover", stream.client, variant)
    pool = world.data.honest.inputs
    ordinary = pool[rng.choice(len(pool), total - theft, replace=len(pool) < total - theft)]
    stolen = np.zeros(total, np.bool_)
    stolen[rng.choice(total, theft, replace=False)] = True
    inputs = np.empty((total, pool.shape[1]), np.float32)
    inputs[stolen], inputs[~stolen] = stream.inputs[:theft], ordinary
    probabilities = np.empty((total, stream.probabilities.shape[1]), np.float32)
    probabilities[stolen], probabilities[~stolen] = stream.probabilities[:theft], world.victim.ask(ordinary)
    return replace(
        stream, client=f"{stream.client} {variant}", inputs=inputs, probabilities=probabilities, theft=stolen
    )


def dripped(stream: Stream) -> Stream:
    """Return the theft at 20 questions a day."""
    return replace(stream, client=f"{stream.client} drip", gap=24 * HOUR // 20)


def dealt(stream: Stream, identities: int) -> Sequence[Stream]:
    """Return one theft dealt round-robin to many identities."""
    return [
        replace(
            stream,
            client=f"{stream.client} {at} of {identities}",
            inputs=stream.inputs[at::identities],
            probabilities=stream.probabilities[at::identities],
        )
        for at in range(identities)
    ]
