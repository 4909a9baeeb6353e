#!/usr/bin/env python3
"""Are the remade golden files the committed ones? Exits 1 when names, types or shapes differ, or values by more than 1e-6 of a tensor's norm.

  same_tensors.py COMMITTED_DIR REMADE_DIR
"""
import pathlib
import sys

from safetensors.torch import load_file


def differences(committed, remade):
    ours, theirs = load_file(committed), load_file(remade)
    for key in sorted(ours.keys() | theirs.keys()):
        if key not in ours or key not in theirs:
            yield f"{key} is in one of them only"
        elif (ours[key].dtype, ours[key].shape) != (theirs[key].dtype, theirs[key].shape):
            yield f"{key}: {ours[key].dtype} {list(ours[key].shape)}, remade {theirs[key].dtype} {list(theirs[key].shape)}"
        elif (ours[key].double() - theirs[key].double()).norm() > 1e-6 * ours[key].double().norm() + 1e-12:
            yield f"{key}: values differ"


def main():
    committed, remade = map(pathlib.Path, sys.argv[1:3])
    names = sorted({p.name for p in committed.glob("*.safetensors")} | {p.name for p in remade.glob("*.safetensors")})
    wrong = 0
    for name in names:
        absent = [str(folder) for folder in (committed, remade) if not (folder / name).exists()]
        found = [f"absent from {absent[0]}"] if absent else list(differences(committed / name, remade / name))
        wrong += bool(found)
        print(f"{name}: " + ("the same" if not found else "; ".join(found)))
    return 1 if wrong or not names else 0


if __name__ == "__main__":
    sys.exit(main())
