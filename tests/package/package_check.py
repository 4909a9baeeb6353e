#!/usr/bin/env python3
"""What scripts/package makes, unpacked far from the tree, runs: sizes, libraries, a run to its end.

  package_check.py [JUNIT_XML]     from the repository's root, after a build; exits 1 when a check fails

It packs all of bazel-bin's programs, so it runs after `bazel test`, not inside it (scripts/test does both).
"""
import functools
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import junit  # tests/junit.py

MOST_BYTES = 64 << 20
PROGRAMS = ["mimeo", "coordinator", "worker", "worker_compute", "teacher_server", "train_step_benchmark", "device_check"]
# What every Linux has.
OF_THE_SYSTEM = re.compile(r"^(linux-vdso|ld-linux.*|lib(c|m|dl|rt|pthread|resolv|stdc\+\+|gcc_s))\.so")


def libtorch():
    cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    return os.environ.get("MIMEO_LIBTORCH", f"{cache}/mimeo/libtorch-2.11.0")


def call(command, folder, **more):
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "MIMEO_LIBTORCH": libtorch(), **more}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, f"{command}: exit {result.returncode}\n{(result.stdout + result.stderr)[-2000:]}"
    return result.stdout


def it_is_made_and_small(folder):
    archive = folder / "mimeo.tar.gz"
    made = subprocess.run(["scripts/package", str(archive), "--no-cuda", "--built"], capture_output=True, text=True)
    assert made.returncode == 0, (made.stdout + made.stderr)[-2000:]
    assert archive.stat().st_size < MOST_BYTES, f"{archive.stat().st_size} bytes; {MOST_BYTES} are the most"
    with tarfile.open(archive) as packed:
        packed.extractall(folder)


def every_program_starts(folder):
    for program in PROGRAMS:
        call(["mimeo/run", program, "--help"], folder)


def libraries_are_its_own(folder):
    for program in PROGRAMS:
        listed = call(["ldd", f"mimeo/bin/{program}"], folder, LD_LIBRARY_PATH=f"{libtorch()}/torch/lib:{folder}/mimeo/lib")
        for line in listed.splitlines():
            name, _, place = line.strip().partition(" => ")
            own = place.startswith((str(folder), libtorch()))
            assert own or OF_THE_SYSTEM.match(pathlib.Path(name.split(" ")[0]).name), f"{program} needs this machine's {line.strip()}"


def a_run_reaches_its_end(folder):
    call(["mimeo/run", "mimeo", "run", "mimeo/recipes/tiny_mae.textproto", "--data", "mimeo/examples/clothing/train", "--out", "out", "--workers", "1",
          "--set", "schedule=", "--set", "schedule.steps=2", "--set", "evaluation="], folder)
    steps = (folder / "out/metrics.jsonl").read_text().splitlines()
    assert len(steps) == 2, f"{len(steps)} steps"
    assert (folder / "out/encoder/model.safetensors").exists(), "no encoder came out"


def main():
    with tempfile.TemporaryDirectory() as folder:
        checks = [it_is_made_and_small, every_program_starts, libraries_are_its_own, a_run_reaches_its_end]
        return junit.run("package", {check.__name__: functools.partial(check, pathlib.Path(folder)) for check in checks}, *sys.argv[1:2])


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
