"""The OpenAPI document, made of the table of operations and their pydantic models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.web.api.registry import OPERATIONS, TAGS, Operation, in_order
from app.web.api.shapes import Problem

_REF = "#/components/schemas/{model}"
_MEANINGS = {
    400: "It cannot be done like that.",
    401: "No token, or a wrong one.",
    403: "The token is not for this, or the request came from another site.",
    404: "There is no such thing (any more).",
    405: "The address cannot be used like that.",
    409: "It is not in a state that allows this.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    422: "Parameters or fields are wrong; each is named in errors.",
}
Mode = Literal["validation", "serialization"]


@cache
def document() -> dict[str, Any]:
    """The whole document, OpenAPI 3.1."""
    found = {model: schema for model, schema in _schemas().items() if not model.startswith("$")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vast LoRA Platform",
            "version": "1",
            "description": "The same services as the pages. Send the token of the dashboard as "
            "Authorization: Bearer TOKEN, where one is needed.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in TAGS],
        "paths": _paths(),
        "components": {
            "schemas": found,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _models() -> list[tuple[type[BaseModel], Mode]]:
    wanted: dict[tuple[type[BaseModel], Mode], None] = {(Problem, "serialization"): None}
    for op in OPERATIONS:
        if op.answer:
            wanted[op.answer, "serialization"] = None
        if op.body:
            wanted[op.body, "validation"] = None
    return list(wanted)


@cache
def _schemas() -> dict[str, Any]:
    _, definitions = models_json_schema(_models(), ref_template=_REF)
    found: dict[str, Any] = definitions["$defs"]
    return found


@cache
def _references() -> Mapping[Any, dict[str, Any]]:
    references, _ = models_json_schema(_models(), ref_template=_REF)
    return references


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for op in in_order():
        paths.setdefault(op.template, {})[op.method.lower()] = _described(op)
    return paths


def _described(op: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": op.name,
        "summary": op.summary,
        "tags": [op.tag],
        "responses": _responses(op),
    }
    if op.description:
        told["description"] = op.description
    if parameters := [*_path_parameters(op), *query_parameters(op)]:
        told["parameters"] = parameters
    if op.body:
        schema = _references()[op.body, "validation"]
        told["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return told


def _path_parameters(op: Operation) -> list[dict[str, Any]]:
    whole = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": whole if converter == "int" else {"type": "string", "minLength": 1},
        }
        for converter, name in op.parameters
    ]


def query_parameters(op: Operation) -> list[dict[str, Any]]:
    """What may stand behind the question mark."""
    if op.query is None:
        return []
    schema = op.query.model_json_schema(ref_template=_REF)
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": field.pop("description", ""),
            "schema": field,
        }
        for name, field in schema["properties"].items()
    ]


def _responses(op: Operation) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done."}
    if op.answer:
        schema = _references()[op.answer, "serialization"]
        good["content"] = {"application/json": {"schema": schema}}
    problem = _references()[Problem, "serialization"]
    return {
        str(op.status): good,
        **{
            str(status): {
                "description": _MEANINGS[status],
                "content": {"application/json": {"schema": problem}},
            }
            for status in op.failures
        },
    }


def fields_of(model: type[BaseModel]) -> list[tuple[str, str, str]]:
    """(name, type, help) of a model's fields, for people."""
    schema = _schemas().get(model.__name__) or model.model_json_schema()
    required = set(schema.get("required", ()))
    return [
        (
            name,
            kind_of(field) + ("" if name in required else ", optional"),
            field.get("description", ""),
        )
        for name, field in schema.get("properties", {}).items()
    ]


def kind_of(field: dict[str, Any]) -> str:
    """The type of a field in words."""
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "anyOf" in field:
        return " or ".join(kind_of(part) for part in field["anyOf"])
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    if "const" in field:
        return str(field["const"])
    if field.get("type") == "array":
        return f"list of {kind_of(field.get('items', {}))}"
    return str(field.get("type", "any"))
