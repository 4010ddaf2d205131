#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Validates documents, one a line on stdin, against the schema in docs/schema/NAME.json.

    check_schema.py NAME

There has to be one document at least.  A schema says which fields there are at least; that it says so of every column
is checked as well, against what help prints (COLUMNS=…, names with blanks between, for the array or object ROWS=…).
"""
import json
import os
import sys

import jsonschema

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def main():
    name = sys.argv[1]
    with open(os.path.join(root, "docs", "schema", name + ".json"), encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    rows = os.environ.get("ROWS")
    if rows:
        described = schema["properties"][rows]
        described = described.get("items", described)["properties"]
        missing = set(os.environ["COLUMNS"].split()) - set(described)
        if missing:
            sys.exit(f"docs/schema/{name}.json does not describe {sorted(missing)}: run scripts/make-schemas")
    count = 0
    for line in sys.stdin:
        document = json.loads(line)
        errors = sorted(validator.iter_errors(document), key=str)
        for error in errors[:5]:
            print(f"{name}: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}", file=sys.stderr)
        if errors:
            sys.exit(1)
        count += 1
    if not count:
        sys.exit(f"{name}: no document")


main()
