"""What `gamekeeper up` serves unless told otherwise: the demo's model, and a population learnt beforehand.

Both are made once, by a child process (so that TensorFlow never enters ours), and kept in a folder.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from gamekeeper.demo.data import MODEL, SHAPE

_MADE = 1  # raised whenever what is made here changes: kept folders are then made anew
_SECONDS = 300.0  # a machine that needs longer than this is stuck
Beat = Callable[[str], None]


class NotMade(RuntimeError):  # noqa: N818  # named for what it says to the operator
    """The model or the population could not be made; the message says where to look."""

    for_people = True


@dataclass(frozen=True, slots=True)
class Assets:
    """Where the model and the population are, and the shape of one input."""

    model_name: str
    model_path: Path
    population_path: Path
    shape: tuple[int, ...]


def prepare(folder: Path, progress: Beat) -> Assets:
    """Return the model and the population in `folder`, made now unless they are there. Raises NotMade."""
    made = _assets(folder)
    if not made.population_path.exists():
        _in_a_child(folder, progress, "population")
    return made


def prepare_model(folder: Path, progress: Beat) -> Path:
    """Return the model's path in `folder`, trained now unless it is there. Raises NotMade."""
    path = _assets(folder).model_path
    if not path.exists():
        _in_a_child(folder, progress, "model")
    return path


def _assets(folder: Path) -> Assets:
    models = folder / f"models-{_MADE}"
    return Assets(MODEL, models / f"{MODEL}.keras", folder / f"population-{_MADE}.gk", SHAPE)


def _in_a_child(folder: Path, progress: Beat, what: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "making.log"
    command = [sys.executable, "-m", "gamekeeper.demo.assets", str(folder), what]
    with log.open("wb") as errors:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)  # noqa: S603  # our own
        with child:
            for line in child.stdout or ():
                progress(line.strip())
            status = child.wait(_SECONDS)
    if status != 0:
        raise NotMade(f"the demo's {what} could not be made (exit code {status}); see {log}")


def make(folder: Path, what: Annotated[str, typer.Argument()] = "population") -> None:
    """Make the model, and the population if that is asked for; say on stdout what is being done."""
    made = _assets(folder)
    if not made.model_path.exists():
        from gamekeeper.demo import victim  # noqa: PLC0415  # TensorFlow: for the child alone

        _say("training the model")
        victim.make(made.model_path)
    if what == "population":
        from gamekeeper.demo import past  # noqa: PLC0415  # numba too

        past.learn(made.model_path, made.population_path, _say)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # read by the parent process, line by line


if __name__ == "__main__":
    typer.run(make)
