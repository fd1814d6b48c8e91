"""Where models lie: which versions are there, and whether a file has changed.

A folder holds `NAME.keras` (version 1), `NAME/VERSION.keras` and `NAME/VERSION/` (a SavedModel). Everything is served,
the highest version by default. Other files are ignored, except such as look like models that are not served.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from gateway.serving.model import BadModel

NAME = re.compile(r"(?!\.)[\w.-]{1,128}")
VERSION = re.compile(r"[0-9]{1,18}")
OTHER_FORMATS = {".h5", ".hdf5", ".pkl", ".pickle", ".joblib", ".pt", ".pth", ".onnx", ".tflite", ".pb"}

Key = tuple[str, str]  # model, version
Mark = tuple[tuple[str, int, int], ...]  # of each file: its path within, bytes, time of its last change in ns


class Found(NamedTuple):
    """One version of a model: where it lies, and by what one sees that it has changed."""

    path: Path
    mark: Mark


def look(source: Path | Mapping[str, Path]) -> tuple[dict[Key, Found], list[str]]:
    """Return the versions in a folder (or of one file, or as named), and what in it cannot be served, in words.

    Raises BadModel where the folder or a named file cannot be read at all.
    """
    found: dict[Key, Found] = {}
    wrong = []
    for name, version, path in _candidates(source):
        try:
            key, mark = _key(name, version, path), _mark(path)
        except BadModel as error:
            wrong.append(str(error))
        except OSError:
            continue  # removed while we looked
        else:
            there = found.setdefault(key, Found(path, mark))
            if there.path != path:
                wrong.append(f"{path}: {there.path} is version {key[1]} of {name!r} too; remove one of them")
    return found, wrong


def _candidates(source: Path | Mapping[str, Path]) -> Iterator[tuple[str, str, Path]]:
    if not isinstance(source, Path):
        for name, path in source.items():
            yield name, "1", path
    elif source.is_file() or source.suffix == ".keras":
        yield source.stem, "1", source
    else:
        yield from _in_folder(source)


def _in_folder(folder: Path) -> Iterator[tuple[str, str, Path]]:
    for path in _listed(folder):
        if path.is_dir():
            for version in _listed(path):
                if version.is_dir() or version.suffix == ".keras" or version.suffix in OTHER_FORMATS:
                    yield path.name, version.name.removesuffix(".keras"), version
        elif path.suffix == ".keras" or path.suffix in OTHER_FORMATS:
            yield path.stem, "1", path


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise BadModel(f"{folder}: cannot be read: {error.strerror}") from error


def _key(name: str, version: str, path: Path) -> Key:
    """Return model and version. Raises BadModel for a file of a kind or with a name that cannot be served."""
    if path.name == "saved_model.pb":
        raise BadModel(f"{path}: a SavedModel needs a version: move it to {path.parent / '1'}")
    if path.suffix in OTHER_FORMATS:
        raise BadModel(
            f"{path}: files of this kind are not served (some run code when they are loaded); load it where you "
            f"trust it, and save it with model.save('{path.stem}.keras')"
        )
    if not path.is_dir() and not path.is_file():
        raise BadModel(f"{path}: no such file")
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise BadModel(f"{path}: it holds no saved_model.pb; model.export(FOLDER) writes a SavedModel")
    if not NAME.fullmatch(name):
        raise BadModel(f"{path}: {name!r} is no model's name: letters, digits, dot, dash and underscore, at most 128")
    if not VERSION.fullmatch(version):
        raise BadModel(f"{path}: {version!r} is no version: NAME/VERSION.keras with a whole number")
    return name, str(int(version))


def _mark(path: Path) -> Mark:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [(str(file.relative_to(path)), file.stat()) for file in files]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
