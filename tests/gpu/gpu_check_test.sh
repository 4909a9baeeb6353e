#!/usr/bin/env bash
# scripts/gpu_check judges rightly, tried on the CPU: a good machine passes, a wrong number is named.
set -euo pipefail
out=$TEST_TMPDIR/out
fail() { echo "gpu_check_test: $*" >&2; exit 1; }

scripts/gpu_check "$out/good" --device cpu --only tiny_mae || fail "a good machine failed"
grep -q '| gang/2 ranks lose one and go on | yes |' "$out/good/gpu_check.md" || fail "the gang's row is missing"
python3 - "$out/good/gpu_check.json" <<'END'
import json, sys
result = json.load(open(sys.argv[1]))
checks = {check["name"]: check for check in result["checks"]}
device, gang = checks["device/tiny_mae"], checks["gang/2 ranks lose one and go on"]
assert device["gradient_error"] == 0, device  # the CPU beside itself
assert device["resumes_to_the_bit"] is True, device
assert device["graph_to_the_bit"] is True, device  # of a step that is called again in place of replayed
assert gang["generations"] == 2 and gang["killed_at_step"] >= 40, gang
for row in result["benchmarks"] + result["runs"]:
    assert row["images_per_second"]["median"] > 0, row
assert 0 <= result["runs"][0]["teacher_wait_share"] < 1, result["runs"]
END

python3 - > "$TEST_TMPDIR/wrong.json" <<'END'
import json
golden = json.load(open("tests/recipes/golden_losses.json"))
golden["tiny_mae"][-1] *= 1.05
print(json.dumps(golden))
END
if scripts/gpu_check "$out/bad" --device cpu --only tiny_mae --skip-gang --skip-benchmarks --golden "$TEST_TMPDIR/wrong.json" 2> "$out/errors"; then
  fail "another loss than the committed one passed"
fi
grep -q 'device/tiny_mae failed: golden_error' "$out/errors" || fail "the wrong number is not named: $(cat "$out/errors")"

if scripts/gpu_check "$out/none" --device cpu --only tiny_nothing --skip-gang --skip-benchmarks 2> "$out/errors"; then
  fail "a recipe that is not there passed"
fi
grep -q 'tiny_nothing' "$out/errors" || fail "the missing recipe is not named"
