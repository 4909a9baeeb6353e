#!/usr/bin/env python3
"""Writes small files of torch.save for model/weights/torch_archive_test.cc: those that are read, and those that are refused.

  make_torch_archives.py OUT_DIR

Checked with torch 2.11.0. state.safetensors holds the tensors that the readable ones hold, under timm's names.
"""
import argparse
import collections
import os
import pathlib
import sys

import torch
from safetensors.torch import save_file

WIDTH, MLP, PATCH, PATCHES = 16, 32, 4, 4


class Hostile:
    """Unpickled by Python, it would run a command."""

    def __reduce__(self):
        return os.system, ("touch /tmp/mimeo_hostile_pickle_ran",)


def state():
    shapes = {"cls_token": (1, 1, WIDTH), "pos_embed": (1, 1 + PATCHES, WIDTH), "patch_embed.proj.weight": (WIDTH, 3, PATCH, PATCH),
              "patch_embed.proj.bias": (WIDTH,), "norm.weight": (WIDTH,), "norm.bias": (WIDTH,)}
    layers = {"norm1": (WIDTH,), "attn.qkv": (3 * WIDTH, WIDTH), "attn.proj": (WIDTH, WIDTH), "norm2": (WIDTH,),
              "mlp.fc1": (MLP, WIDTH), "mlp.fc2": (WIDTH, MLP)}
    for name, shape in layers.items():
        shapes |= {f"blocks.0.{name}.weight": shape, f"blocks.0.{name}.bias": shape[:1]}
    generator = torch.Generator().manual_seed(1)
    tensors = collections.OrderedDict((k, torch.randn(shape, generator=generator)) for k, shape in shapes.items())
    tensors["blocks.0.attn.proj.weight"] = tensors["blocks.0.attn.proj.weight"].t()  # strides
    tensors["norm.bias"] = tensors["cls_token"].flatten()[:]                         # one storage, two tensors
    tensors["norm.weight"] = tensors["norm.weight"].half()
    return tensors


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    tensors = state()
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, out / "state.safetensors")
    torch.save(collections.OrderedDict((k, torch.nn.Parameter(v)) for k, v in tensors.items()), out / "plain.pth")
    torch.save({"model": tensors, "epoch": 3, "args": argparse.Namespace(lr=0.1), "rate": 1e-3, "odd": [None, True, -5, 1 << 40, "x"]},
               out / "model_entry.pth")
    teacher = {f"module.backbone.{k}": v for k, v in tensors.items()} | {"module.head.last_layer.weight": torch.zeros(2, 2)}
    torch.save({"student": {"a": torch.zeros(1)}, "teacher": teacher}, out / "teacher_entry.pth")
    torch.save(tensors, out / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Linear(2, 2), out / "whole_module.pth")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), out / "script.pt")
    torch.save({"model": tensors | {"norm.bias": Hostile()}}, out / "hostile.pth")


if __name__ == "__main__":
    main()
