"""The OpenAPI document and its page: true to what is served, for those with a key, and loading nothing."""

import dataclasses
import re

import msgspec
from fastapi.routing import APIRoute

from gateway import v1, v2
from gateway.app import router
from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, Running, images, serving

KEY = {"X-API-Key": ALICE}


def test_needs_a_key(shared_gateway: Running, alone: GatewaySettings) -> None:
    """Both need any good key, unless the settings open them."""
    for path in ("/docs", "/openapi.json"):
        assert shared_gateway.http.get(path).status_code == 401
        assert shared_gateway.http.get(path, headers=KEY).status_code == 200
    with serving(dataclasses.replace(alone, docs_open=True)) as running:
        assert running.http.get("/docs").status_code == 200
        assert running.http.get("/openapi.json").status_code == 200
        assert running.http.get("/v1/models/digits").status_code == 401


def test_describes_what_is_served(shared_gateway: Running) -> None:
    """Every route is there with its parameters, and every question with the forms of what is asked and answered."""
    document = shared_gateway.http.get("/openapi.json", headers=KEY).json()
    paths = document["paths"]
    assert {route.path for route in router.routes if isinstance(route, APIRoute)} == set(paths)
    for path, operations in paths.items():
        for operation in operations.values():
            named = [parameter["name"] for parameter in operation["parameters"]]
            assert named == re.findall(r"{(\w+)}", path)
            assert operation["description"]
            if path.endswith((":predict", "/infer")):
                assert {"requestBody", "responses"} <= operation.keys()
                assert {"200", "400", "401", "403", "429"} <= operation["responses"].keys()
    references = set(re.findall(r'"#/components/schemas/(\w+)"', msgspec.json.encode(document).decode()))
    assert references == set(document["components"]["schemas"])


def test_forms_are_those_that_are_answered(shared_gateway: Running) -> None:
    """What the gateway answers is what the described forms hold."""
    answer = shared_gateway.ask().content
    assert len(msgspec.json.decode(answer, type=v1.Predictions).predictions) == 1
    tensor = {"name": "x", "shape": [1, 8, 8], "datatype": "FP32", "data": images().tolist()}
    asked = shared_gateway.http.post("/v2/models/digits/infer", json={"inputs": [tensor]}, headers=KEY)
    assert msgspec.json.decode(asked.content, type=v2.InferResponse).outputs[0].shape == [1, 10]


def test_page_loads_nothing(shared_gateway: Running) -> None:
    """The page has no script, no address of another host, no path of this machine and no key."""
    page = shared_gateway.http.get("/docs", headers=KEY)
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "POST /v1/models/{model}:predict" in page.text
    assert "InferRequest" in page.text
    assert not re.search(r"<script|https?://|src=|" + ALICE, page.text)
    assert str(shared_gateway.parts.settings.keys_file) not in page.text
