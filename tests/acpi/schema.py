"""As much of JSON Schema as tools/numa-inspect/schema.json uses: Debian's Python has no validator
of its own."""

import re

TYPES = {"object": dict, "array": list, "string": str, "integer": int}


def resolve(schema, root):
    """`schema` with what its $ref leads to."""
    if "$ref" not in schema:
        return schema
    target = root
    for step in schema["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def violations(value, schema, root=None, place="$"):
    """What of `value` is not as the schema says, one line each."""
    root = root or schema
    schema = resolve(schema, root)
    kind = schema["type"]
    if not isinstance(value, TYPES[kind]) or isinstance(value, bool):
        return [f"{place}: is no {kind}"]
    if kind == "object":
        return of_object(value, schema, root, place)
    if kind == "array":
        return [line for index, item in enumerate(value)
                for line in violations(item, schema["items"], root, f"{place}[{index}]")]
    if kind == "string":
        pattern = schema.get("pattern", "")
        return [] if re.search(pattern, value) else [f"{place}: does not match {pattern}"]
    low, high = schema.get("minimum", value), schema.get("maximum", value)
    return [] if low <= value <= high else [f"{place}: {value} is not within {low} and {high}"]


def of_object(value, schema, root, place):
    properties = schema["properties"]
    found = [f"{place}: {key} is missing" for key in schema.get("required", ()) if key not in value]
    if not schema.get("additionalProperties", True):
        found += [f"{place}: {key} is unknown" for key in value if key not in properties]
    for key, item in value.items():
        if key in properties:
            found += violations(item, properties[key], root, f"{place}.{key}")
    return found
