"""Adds to the schema how every operation refuses, which views need not repeat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tcpdashboard.common.problems import MEDIA_TYPE, SCHEMA


def describe_problems(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Return the schema with the responses of refusals; a postprocessing hook."""
    result["components"]["schemas"]["Problem"] = SCHEMA
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            for status, description in _refusals(operation):
                operation["responses"][status] = {"description": description, "content": content}
    return result


def _refusals(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    if "query" in places:
        yield "400", "A parameter is wrong."
    yield "403", "Not logged in, or not staff."
    if "path" in places:
        yield "404", "There is none of that name."
    if not operation["operationId"].endswith(("_list", "_retrieve")):
        yield "409", "It cannot be done as things stand."
    yield "429", "Too many requests; Retry-After says when to come back."
