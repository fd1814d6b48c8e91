"""Serving: Keras behind the gateway's micro-batches, beside one call of the compiled model a request.

Both stand in this process, without HTTP: what differs is whether requests that wait together share a call. A client
asks its next question as soon as it has an answer. Beside them threads, one a core, call the compiled model itself, as
a server does that has no batches.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from gateway.serving.batching import Served
from gateway.serving.loading import held, import_tensorflow
from gateway.serving.model import Floats

Ask = Callable[[Floats], Awaitable[Floats]]
CLIENTS: Final = (1, 64)
SIDE: Final = 28  # pixels
CLASSES: Final = 10
WARM: Final = 0.5  # s before time is taken


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of both, in turn")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Ask with one client and with many, both ways."""
    served = held("digits", _network())
    served.start()
    threads = ThreadPoolExecutor(os.cpu_count())
    ways: dict[str, Ask] = {
        "a call a request": lambda batch: asyncio.get_running_loop().run_in_executor(threads, served.ask, batch),
        "micro-batches": lambda batch: asyncio.wrap_future(served.predict(batch)),
    }
    found: dict[tuple[str, int], list[dict[str, float]]] = {(way, clients): [] for clients in CLIENTS for way in ways}
    for _ in range(chosen.rounds):
        for (way, clients), rounds in found.items():
            asyncio.run(_round(ways[way], clients, WARM))
            rounds.append(asyncio.run(_measured(served, ways[way], clients, chosen.seconds)))
    served.stop()
    threads.shutdown()
    rows = [_row(way, clients, rounds) for (way, clients), rounds in found.items()]
    for row, base in zip(rows[1::2], rows[::2], strict=True):
        row["x"] = f"{row['requests/s'] / base['requests/s']:.2f}"
    note = (
        f"a convolutional network, 28x28, one row a request; medians of {chosen.rounds} rounds of {chosen.seconds:g} s"
    )
    return {"rows": rows, "note": note}


def _network() -> Any:
    import_tensorflow()
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((SIDE, SIDE, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


async def _measured(served: Served, ask: Ask, clients: int, seconds: float) -> dict[str, float]:
    calls, begun = served.calls, time.process_time()
    waits = await _round(ask, clients, seconds)
    cpu = time.process_time() - begun
    return {
        "requests/s": len(waits) / seconds,
        "p50 ms": float(np.percentile(waits, 50)),
        "p99 ms": float(np.percentile(waits, 99)),
        "rows a call": len(waits) / (served.calls - calls),
        "CPU µs a request": 1e6 * cpu / len(waits),
    }


async def _round(ask: Ask, clients: int, seconds: float) -> list[float]:
    """Let so many clients ask for so long; return how long each answer took, in ms."""
    until = time.perf_counter() + seconds
    waits: list[float] = []

    async def client(number: int) -> None:
        image = np.random.default_rng(number).random((1, SIDE, SIDE, 1), dtype=np.float32)
        while (begun := time.perf_counter()) < until:
            await ask(image)
            waits.append(1e3 * (time.perf_counter() - begun))

    await asyncio.gather(*(client(number) for number in range(clients)))
    return waits


def _row(way: str, clients: int, rounds: list[dict[str, float]]) -> dict[str, Any]:
    rates = [one["requests/s"] for one in rounds]
    middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    times = {name: f"{middle[name]:.2f}" for name in ("p50 ms", "p99 ms", "rows a call")}
    return {
        "clients": clients,
        "way": way,
        "requests/s": middle["requests/s"],
        "least - most": f"{min(rates):,.0f} - {max(rates):,.0f}",
        **times,
        "CPU µs a request": middle["CPU µs a request"],
        "x": "",
    }
