#!/usr/bin/env python3
"""Do transformers and timm load what `worker export` writes, with no missing and no unexpected key, and compute the golden numbers?

  exported_parity.py WORKER GOLDEN_DIR

For each golden encoder (make_weights_golden.py): its weights are exported to every layout that can hold them, loaded by the library that
the layout is of, and run on the golden image. Exits 1 when a key is missing or left over, or features differ by more than 1e-5 of their norm.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import timm
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file

LAYOUTS = {"hf-vit": transformers.ViTModel, "hf-clip": transformers.CLIPVisionModel, "hf-dinov2": None, "timm": None}
TOLERANCE = 1e-5


def write_folder(golden, folder):
    """A folder as the family's users have it; the golden tensors."""
    folder.mkdir()
    with safe_open(golden, "pt") as file:
        texts = file.metadata()
    tensors = load_file(golden)
    weights = {k.removeprefix("weight/"): v for k, v in tensors.items() if k.startswith("weight/")}
    save_file(weights, folder / "model.safetensors", metadata=json.loads(texts["metadata"]))
    for name, text in (("config.json", texts["config"]), ("preprocessor_config.json", texts["preprocessor"])):
        if text:
            (folder / name).write_text(text)
    return tensors


def load_hf(folder, layout):
    arguments = {"output_loading_info": True, "dtype": torch.float32}
    kind = LAYOUTS[layout]
    if layout == "hf-dinov2":
        registers = json.loads((folder / "config.json").read_text()).get("num_register_tokens", 0)
        kind = transformers.Dinov2WithRegistersModel if registers else transformers.Dinov2Model
    if layout == "hf-vit":
        arguments["add_pooling_layer"] = False
    model, report = kind.from_pretrained(folder, **arguments)
    wrong = {k: sorted(report[k]) for k in ("missing_keys", "unexpected_keys", "mismatched_keys") if report[k]}
    return model.eval(), wrong


def hf_tokens(model, layout, image):
    if layout == "hf-clip":
        result = model(image, interpolate_pos_encoding=True).last_hidden_state
        return (getattr(model, "vision_model", model).post_layernorm(result)), 0
    registers = getattr(model.config, "num_register_tokens", 0)
    return model(image).last_hidden_state, registers


def load_timm(folder):
    """The model, and the keys that did not fit."""
    timm.create_model(f"local-dir:{folder}", pretrained=True)  # as users load it; raises where a key does not fit
    config = json.loads((folder / "config.json").read_text())
    model = timm.create_model(config["architecture"], pretrained=False, num_classes=0, **config["model_args"]).eval()
    fit = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    return model, [*fit.missing_keys, *fit.unexpected_keys]


def tokens_of(folder, layout, image):
    """Patch tokens and class token, each None where there is none, and the keys that did not fit."""
    if layout == "timm":
        model, wrong = load_timm(folder)
        if list(model.patch_embed.img_size) != list(image.shape[2:]):
            return None, None, wrong  # timm does not interpolate positions unasked
        tokens = model.forward_features(image)
        return tokens[:, model.num_prefix_tokens:], tokens[:, 0] if model.has_class_token else None, wrong
    model, wrong = load_hf(folder, layout)
    tokens, registers = hf_tokens(model, layout, image)
    return tokens[:, 1 + registers:], tokens[:, 0], wrong


def difference(ours, golden):
    return 0.0 if ours is None else ((ours.double() - golden.double()).norm() / golden.double().norm()).item()


def export(worker, source, layout, out):
    """False: the layout cannot hold the encoder."""
    done = subprocess.run([worker, "export", "--checkpoint", source, "--to", layout, "--out", out], capture_output=True, text=True)
    said = done.stderr + done.stdout
    if done.returncode != 0 and "cannot hold this encoder" not in said:
        raise RuntimeError(f"{source} to {layout}: {said}")
    return done.returncode == 0


def check(worker, golden, root):
    source = root / golden.stem
    tensors = write_folder(golden, source)
    failures = 0
    for layout in LAYOUTS:
        out = root / f"{golden.stem}.{layout}"
        if not export(worker, source, layout, out):
            continue
        patches, class_token, wrong = tokens_of(out, layout, tensors["image"].float())
        worst = max(difference(patches, tensors["tokens"]), difference(class_token, tensors.get("class")))
        failures += bool(wrong) or worst > TOLERANCE
        print(json.dumps({"from": golden.stem, "to": layout, "keys_that_do_not_fit": wrong, "features_compared": patches is not None,
                          "largest_difference": worst}))
    return failures


def mae_checkpoint(path):
    """A checkpoint of Mimeo's with a decoder, all weights random."""
    d, e, p = 48, 16, 8
    shapes = {"encoder.cls_token": (1, 1, d), "encoder.patch_embed.proj.weight": (d, 3, p, p), "encoder.patch_embed.proj.bias": (d,),
              "objective.pixels.mask_token": (1, 1, e)}

    def layer(name, out, *into):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (out, *into), (out,)

    for prefix, width in (("encoder.blocks.0", d), ("objective.pixels.decoder_blocks.0", e)):
        layer(f"{prefix}.norm1", width), layer(f"{prefix}.norm2", width), layer(f"{prefix}.attn.qkv", 3 * width, width)
        layer(f"{prefix}.attn.proj", width, width), layer(f"{prefix}.mlp.fc1", 4 * width, width), layer(f"{prefix}.mlp.fc2", width, 4 * width)
    layer("encoder.norm", d), layer("objective.pixels.decoder_norm", e)
    layer("objective.pixels.decoder_embed", e, d), layer("objective.pixels.decoder_pred", 3 * p * p, e)
    job = """data { image_px: 48 image_width_px: 48 channels: 3 } mask { hidden_fraction: 0.75 }
        encoder { vit { patch_px: 8 width: 48 depth: 1 heads: 3 mlp_ratio: 4 class_token: true positions: POSITIONS_SINE_COSINE
          activation: ACTIVATION_GELU norm_epsilon: 1e-6 patch_bias: true qkv_bias: true } }
        objective { name: "pixels" reconstruction { decoder_width: 16 decoder_depth: 1 decoder_heads: 2 normalize_patches: true } }"""
    save_file({k: torch.randn(shape) for k, shape in shapes.items()}, path, metadata={"job": job})


def check_mae(worker, root):
    mae_checkpoint(root / "checkpoint.safetensors")
    if not export(worker, root / "checkpoint.safetensors", "hf-vit-mae", root / "mae"):
        return 1
    _, report = transformers.ViTMAEForPreTraining.from_pretrained(root / "mae", output_loading_info=True)
    wrong = {k: sorted(report[k]) for k in ("missing_keys", "unexpected_keys", "mismatched_keys") if report[k]}
    print(json.dumps({"from": "checkpoint with a decoder", "to": "hf-vit-mae", "keys_that_do_not_fit": wrong}))
    return int(bool(wrong))


def main():
    worker, folder = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as root, torch.no_grad():
        failures = check_mae(worker, pathlib.Path(root))
        failures += sum(check(worker, golden, pathlib.Path(root)) for golden in sorted(pathlib.Path(folder).glob("*.safetensors")))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
