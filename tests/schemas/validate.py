#!/usr/bin/env python3
"""Whether what a command printed as JSON is as its schema says: validate.py SCHEMA JSON. Prints what is wrong; exits 1 then."""
import json
import sys

import jsonschema

schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
errors = list(jsonschema.Draft7Validator(schema).iter_errors(json.load(open(sys.argv[2]))))
for error in errors:
    print("/".join(str(part) for part in error.absolute_path) or "(the whole)", error.message[:300], sep=": ")
sys.exit(1 if errors else 0)
