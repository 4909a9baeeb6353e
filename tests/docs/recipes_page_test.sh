#!/usr/bin/env bash
# docs/recipes.md is what scripts/recipe_reference would write.
set -euo pipefail
exec scripts/recipe_reference --check
