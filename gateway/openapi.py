"""What may be asked of the gateway, as OpenAPI, and as a page that loads nothing from anywhere."""

import html
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway import v1, v2

PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}pre{background:#eee;padding:1em}"
REFERENCE = "#/components/schemas/{name}"


class Refusal(msgspec.Struct):
    """Why there is no answer: `error` for people, `code` for programs."""

    error: str
    code: str


QUESTIONS: Mapping[str, tuple[type, tuple[type, ...]]] = {  # by the end of a path: question, answers
    ":predict": (v1.PredictRequest, (v1.Predictions, v1.Outputs)),
    "/infer": (v2.InferRequest, (v2.InferResponse,)),
}
REFUSALS = {
    "400": "no question to the model",
    "401": "no key, or no good one",
    "403": "not allowed, or suspended",
    "404": "no such model",
    "413": "too many bytes or rows",
    "429": "too fast; Retry-After says when to ask again",
    "503": "not able to answer now",
}


def described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an app's routes; made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _described(app)
    return app.openapi_schema


def _described(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    kinds = [Refusal, *(kind for asked, answers in QUESTIONS.values() for kind in (asked, *answers))]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    references = dict(zip(kinds, schemas, strict=True))
    document["components"] = {
        "schemas": components,
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        },
    }
    document["security"] = [{"bearer": []}, {"key": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(operation, path, references)
    return document


def _complete(operation: dict[str, Any], path: str, references: Mapping[type, Any]) -> None:
    """Add what FastAPI cannot know of handlers that read bodies themselves."""
    operation["parameters"] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    for end, (asked, answers) in QUESTIONS.items():
        if path.endswith(end):
            operation["requestBody"] = {"required": True, "content": _json(references[asked])}
            answer = {"anyOf": [references[kind] for kind in answers]}
            operation["responses"] = {"200": {"description": "the answer", "content": _json(answer)}}
            for status, why in REFUSALS.items():
                operation["responses"][status] = {"description": why, "content": _json(references[Refusal])}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def page(document: Mapping[str, Any]) -> str:
    """Return the document as HTML: each path, then each form."""
    title = html.escape(document["info"]["title"])
    paths = [
        f"<h2><code>{method.upper()} {html.escape(path)}</code></h2><p>{_about(operation)}</p>"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    forms = [
        f'<h2 id="{html.escape(name)}">{html.escape(name)}</h2><pre>{_pretty(schema)}</pre>'
        for name, schema in document["components"]["schemas"].items()
    ]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    start = '<p>Send <code>Authorization: Bearer KEY</code> or <code>X-API-Key: KEY</code>. As <a href="/openapi.json">'
    return f"{head}<h1>{title}</h1>{start}OpenAPI</a>.</p>{''.join(paths)}<h1>Forms</h1>{''.join(forms)}</html>"


def _about(operation: Mapping[str, Any]) -> str:
    names = re.findall(r'"#/components/schemas/(\w+)"', msgspec.json.encode(operation).decode())
    links = ", ".join(f'<a href="#{html.escape(name)}">{html.escape(name)}</a>' for name in dict.fromkeys(names))
    return html.escape(operation.get("description", "")) + (f" Forms: {links}." if links else "")


def _pretty(schema: Any) -> str:
    return html.escape(msgspec.json.format(msgspec.json.encode(schema), indent=2).decode())
