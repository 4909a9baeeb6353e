#!/usr/bin/env python3
"""Does transformers' AutoModel see what `mimeo embed` sees? Exits 1 when features differ by more than 1e-4.

  automodel_parity.py MIMEO ENCODER_DIR IMAGES_DIR

Not part of scripts/test: it needs torch, transformers, safetensors and Pillow (checked with 2.11.0, 5.24.0, 0.8.0, 13.0).
The images are cut to the encoder's size here and saved as PNG, which `embed` leaves untouched: both see the same pixels.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image
from safetensors import safe_open
from transformers import AutoModel

MEAN, STD = numpy.array([0.485, 0.456, 0.406]), numpy.array([0.229, 0.224, 0.225])


def main():
    mimeo, encoder, images = sys.argv[1:4]
    px = json.loads((pathlib.Path(encoder) / "config.json").read_text())["image_size"]
    photos = sorted(p for p in pathlib.Path(images).rglob("*") if p.suffix in (".jpg", ".png"))[:32]
    if not photos:
        sys.exit(f"{images}: no .jpg or .png in it")
    with tempfile.TemporaryDirectory() as folder:
        batch = []
        for number, photo in enumerate(photos):
            image = Image.open(photo).convert("RGB").resize((px, px), Image.BICUBIC)
            image.save(f"{folder}/{number:04}.png")
            batch.append((numpy.asarray(image) / 255 - MEAN) / STD)
        subprocess.run([mimeo, "embed", "--weights", encoder, "--images", folder, "--out", f"{folder}/f.safetensors",
                        "--tokens"], check=True)
        with safe_open(f"{folder}/f.safetensors", "pt") as file:
            ours = torch.cat([file.get_tensor("class_token")[:, None], file.get_tensor("patch_tokens")], 1)
    model = AutoModel.from_pretrained(encoder, add_pooling_layer=False).eval()
    with torch.no_grad():
        theirs = model(torch.tensor(numpy.stack(batch), dtype=torch.float32).permute(0, 3, 1, 2)).last_hidden_state
    worst = (ours - theirs).abs().max().item()
    print(json.dumps({"images": len(photos), "tokens": ours.shape[1], "width": ours.shape[2],
                      "largest_difference": worst, "largest_feature": theirs.abs().max().item()}))
    return 0 if worst <= 1e-4 else 1


if __name__ == "__main__":
    sys.exit(main())
