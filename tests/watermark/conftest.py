"""A marked model, once for all tests."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.watermark.nets import digits, net


class Owner(NamedTuple):
    """A folder with model.keras and data.npz."""

    folder: Path

    @property
    def model(self) -> Path:
        """The model, unmarked."""
        return self.folder / "model.keras"

    @property
    def data(self) -> Path:
        """What it was trained on."""
        return self.folder / "data.npz"


@pytest.fixture(scope="session")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Owner:
    """Return an owner with a dense net that knows the digits."""
    found = Owner(tmp_path_factory.mktemp("owner"))
    inputs, label = digits()
    net(inputs[:1000], label[:1000]).save(found.model)
    np.savez(found.data, x=inputs[:1000], y=label[:1000])
    return found
