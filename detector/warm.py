"""Compiling every loop once, so that a fresh machine's first queries need not wait for it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from detector import evidence, geometry, half_space, leakage
from detector.detector import Detector
from detector.policy import Policy
from detector.population import Population
from detector.query import Queries, Shape
from detector.signals import EVENTS, ROW, novelty

_ASKED = 40  # queries: two windows and a half


def warm() -> None:
    """Compile the detector's loops and keep the machine code in numba's cache. Takes a minute, later a second."""
    for shape in ((8, 8), (8,)):
        population = _population(shape)
        queries = _queries(population)
        for populations in ({}, {population.model: population}):
            detector = Detector(Policy(), populations)
            detector.assess(queries)
            Detector(Policy(), populations).restore(detector.changed())
    evidence.log_e(1.0, 2.0, 0.5, 0.1)


def _population(shape: Shape) -> Population:
    """Return a population that makes all signals speak; what they say means nothing."""
    size, width = int(np.prod(shape)), geometry.layout(shape).coarse
    axes = geometry.components(width)
    arrays: dict[str, npt.NDArray[Any]] = {
        "offset": np.zeros(size, np.float32),
        "scale": np.ones(size, np.float32),
        "coords": geometry.coordinates("warm", np.ones(size, np.bool_)),
        "coord_scale": np.ones(min(size, geometry.COORDS), np.float32),
        "levels": np.arange(size, dtype=np.float32),
        "levels_start": np.arange(size + 1, dtype=np.int32),
        "pca_mean": np.zeros(width, np.float32),
        "pca": np.eye(width, axes, dtype=np.float32),
        "net_in": np.ones((width, 4), np.float32),
        "net_in_bias": np.zeros(4, np.float32),
        "net_out": np.ones((4, 2), np.float32),
        "net_out_bias": np.zeros(2, np.float32),
        "trees_column": np.zeros((1, 1), np.int32),
        "trees_threshold": np.zeros((1, 1), np.float32),
        "trees_left": np.full((1, 1), -1, np.int32),
        "trees_right": np.full((1, 1), -1, np.int32),
        "trees_value": np.zeros((1, 1), np.float32),
        "labels": np.arange(2),
        "cells": np.eye(2, axes, dtype=np.float32),
        "reservoir_ux": np.zeros((leakage.POINTS_MIN, axes), np.float32),
        "reservoir_label": np.zeros(leakage.POINTS_MIN, np.int64),
        "rows": np.full((novelty.ROWS_MIN, len(ROW)), 0.5, np.float32),
        "odd_column": np.zeros(half_space.QUESTIONS, np.int16),
        "odd_threshold": np.zeros(half_space.QUESTIONS),
    }
    return Population(
        model="warm",
        shape=shape,
        clients=1,
        known=1,
        queries=1,
        oldest=1,
        since=0,
        until=1,
        gated=True,
        numbers={"r": 0.5, "udist": 1.0, "con": 0.3, "odd98": 0.9, "odd998": 0.9},
        ceilings={event.name: 0.5 for event in EVENTS},
        strong={event.name: 0.5 for event in EVENTS if event.strong},
        arrays=arrays,
    )


def _queries(population: Population) -> Queries:
    size = int(np.prod(population.shape))
    rows = np.arange(_ASKED)
    return Queries(
        model=population.model,
        clients=("warm",),
        tenants=(None,),
        client=np.zeros(_ASKED, np.int32),
        time=rows.astype(np.int64),
        id=np.stack([rows, rows], axis=1).astype(np.uint64),
        scored=np.ones(_ASKED, np.bool_),
        has_input=np.ones(_ASKED, np.bool_),
        input=np.sin(np.arange(_ASKED * size, dtype=np.float32)).reshape(_ASKED, size),
        label=rows.astype(np.int64) % 2,
        margin_low=np.full(_ASKED, 0.5, np.float32),
        margin_high=np.full(_ASKED, 0.5, np.float32),
        place=rows.astype(np.int64),
        row=np.zeros(_ASKED, np.int32),
    )
