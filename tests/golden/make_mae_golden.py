#!/usr/bin/env python3
"""Writes mae_tiny.safetensors: a tiny random MAE of transformers, one batch, its loss and every gradient.

  make_mae_golden.py OUT.safetensors

Checked with torch 2.11.0, transformers 5.24.0, safetensors 0.8.0. Keys:
  weight/KEY     tensors as ViTMAEForPreTraining.save_pretrained stores them
  gradient/KEY   d loss / d weight, under the same names, computed in float64
  images, ids_shuffle (the order that the mask kept: the first K are visible), latent (encoder output in raster order of
  the visible patches, class token first), prediction (B, L, P), loss
Values are float32; the reference itself ran in float64, so that only the reader's rounding is compared.
"""
import pathlib
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file
from transformers import ViTMAEConfig, ViTMAEForPreTraining


def positions(side, width):
    """facebookresearch/mae, util/pos_embed.py: the column's sines and cosines, then the row's; zeros for the class token."""
    half = width // 4
    omega = 10000 ** (-torch.arange(half, dtype=torch.float64) / half)
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    angles = [axis.reshape(-1, 1) * omega for axis in (column, row)]
    table = torch.cat([f(angle) for angle in angles for f in (torch.sin, torch.cos)], 1)
    return torch.cat([torch.zeros(1, width, dtype=torch.float64), table])[None].float()


def saved(model):
    """The state dict under the names that files carry, which differ from those in memory."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(pathlib.Path(folder) / "model.safetensors")


def main():
    torch.manual_seed(7)
    config = ViTMAEConfig(image_size=32, patch_size=8, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                          intermediate_size=96, decoder_hidden_size=16, decoder_num_hidden_layers=2,
                          decoder_num_attention_heads=2, decoder_intermediate_size=64, mask_ratio=0.75, norm_pix_loss=True,
                          layer_norm_eps=1e-6, initializer_range=0.02)
    model = ViTMAEForPreTraining(config)
    with torch.no_grad():  # the constructor of transformers 5.24 leaves zeros
        model.vit.embeddings.position_embeddings.copy_(positions(4, 24))
        model.decoder.decoder_pos_embed.copy_(positions(4, 16))
    with torch.no_grad():  # biases and norms away from 0 and 1, weights large enough that every path matters
        for name, parameter in model.named_parameters():
            if "pos" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model = model.double().train()
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64).float().double()
    noise = torch.rand(3, 16, dtype=torch.float64)
    out = model(images, noise=noise)
    out.loss.backward()

    ids_shuffle = torch.argsort(noise, dim=1)
    visible = ids_shuffle[:, :4].sort(dim=1)
    latent = model.vit(images, noise=noise).last_hidden_state
    raster = visible.indices[..., None].expand(-1, -1, latent.shape[-1])
    latent = torch.cat([latent[:, :1], torch.gather(latent[:, 1:], 1, raster)], 1)

    tensors = {"images": images, "ids_shuffle": ids_shuffle, "latent": latent, "prediction": out.logits, "loss": out.loss}
    for key, value in saved(model).items():
        tensors["weight/" + key] = value
    gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in gradients:
                parameter.copy_(gradients[name])
    for key, value in saved(model).items():
        if "pos" not in key:
            tensors["gradient/" + key] = value
    save_file({k: (v.detach().float() if v.is_floating_point() else v).contiguous() for k, v in tensors.items()}, sys.argv[1])


if __name__ == "__main__":
    main()
