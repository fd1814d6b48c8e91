"""Fetches Kafka's jars into a folder: a process of its own, so that it can be watched, timed and killed.

    python -m gamekeeper.embedded.fetch COORDINATES FOLDER

Whoever starts it sets JAVA_HOME and M2_REPO: else jgo looks for a Java to download and writes to the user's ~/.m2.
"""

import shutil
import sys
from pathlib import Path


def main(coordinates: str, folder: Path) -> None:
    """Resolve `coordinates` (Maven, joined by +) and copy every jar into `folder`, flat."""
    import jgo  # noqa: PLC0415  # only installed with the extra

    environment = jgo.build(coordinates, cache_dir=folder.parent / "jgo")
    folder.mkdir()
    for jar in environment.all_jars:  # `classpath` would miss those that jgo sorts into modules/
        shutil.copyfile(jar, folder / Path(jar).name)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
