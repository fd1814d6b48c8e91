"""TensorFlow Serving's REST form: by rows and by columns, with and without the input's name."""

from typing import Any

import pytest

from tests.gateway.build import ALICE, Running, images

KEY = {"X-API-Key": ALICE}
ROWS: Any = images(2).tolist()
NAME = "input_layer"


def _post(running: Running, body: object, verb: str = "predict") -> Any:
    return running.http.post(f"/v1/models/digits:{verb}", json=body, headers=KEY)


def test_rows_and_columns(shared_gateway: Running) -> None:
    """All four forms of the same question get the same numbers, each in its own form of answer."""
    expected = _post(shared_gateway, {"instances": ROWS}).json()["predictions"]
    named = [{NAME: row} for row in ROWS]
    assert _post(shared_gateway, {"instances": named}).json() == {"predictions": expected}
    for inputs in (ROWS, {NAME: ROWS}):
        body = {"inputs": inputs, "signature_name": "serving_default"}
        assert _post(shared_gateway, body).json() == {"outputs": expected}


def test_the_name_is_the_one_in_the_metadata(shared_gateway: Running) -> None:
    """What the metadata call the input is what a question may call it; the name outlives a reload."""
    about = shared_gateway.http.get("/v1/models/digits/versions/1/metadata", headers=KEY).json()
    assert about["model_spec"] == {"name": "digits", "signature_name": "", "version": "1"}
    assert list(about["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]) == [NAME]


@pytest.mark.parametrize("verb", ["classify", "regress"])
def test_only_predict(shared_gateway: Running, verb: str) -> None:
    """Questions by tf.Example are refused with what to do."""
    refused = _post(shared_gateway, {"examples": [{}]}, verb)
    assert (refused.status_code, refused.json()["code"]) == (404, "only_predict")
    assert "ask :predict" in refused.json()["error"]


@pytest.mark.parametrize(
    "instances", [[{NAME: ROWS[0]}, ROWS[1]], [ROWS[0], {NAME: ROWS[1]}], [{NAME: ROWS[0], "more": 1}], [{}]]
)
def test_mixed_rows_are_refused(shared_gateway: Running, instances: Any) -> None:
    """Rows are all named or none; a name that the model has not is refused."""
    assert _post(shared_gateway, {"instances": instances}).status_code == 400
