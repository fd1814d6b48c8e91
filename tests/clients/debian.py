"""Debian packages, fetched and unpacked into a folder of ours: nothing is installed, no service is started."""

import subprocess
from pathlib import Path
from shutil import which

from tests.proofs import NotHad


def unpacked(package: str, folder: Path) -> Path:
    """Return the root of an unpacked package. Raises NotHad, with apt's words, where it cannot be had."""
    if not which("apt-get"):
        raise NotHad(f"{package} cannot be had: this machine has no apt-get")
    root = folder / package
    root.mkdir(parents=True)
    for command in (["apt-get", "download", package], ["sh", "-c", "dpkg -x *.deb ."]):
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotHad(f"{package} cannot be had: {done.stderr.strip()}")
    return root
