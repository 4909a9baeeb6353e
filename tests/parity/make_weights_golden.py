#!/usr/bin/env python3
"""Writes tiny random encoders of transformers and timm as their files have them, with what those libraries compute of one image.

  make_weights_golden.py OUT_DIR

Checked with torch 2.11.0, transformers 5.24.0, timm 1.0.31, safetensors 0.8.0 (scripts/parity pins them). Each NAME.safetensors has
  weight/KEY       tensors under the names of the family's files; biases and norms are random too, and classifiers are there
  image            (1, 3, H, W), normalised
  tokens, class    patch tokens (1, L, D) and class token (1, D) after the last norm
  block            (1, 1 + L, D): class token and patches as block 1 leaves them, register tokens left out
  attention        (1, L), where present: the class token's in the last block, mean over heads
  projected        (1, E), where present: class token @ projection
  gradient/NAME    where present, d (sum of squares of tokens and class) / d weight under Mimeo's names
and metadata: config, preprocessor (the JSON files' text, where the family has them), metadata (JSON: that of the weights file).
Everything is computed in float64 from weights that the stored type holds exactly.
"""
import json
import math
import pathlib
import sys
import tempfile

import timm
import torch
import transformers
from safetensors.torch import load_file, save_file

WIDTH, HEADS, DEPTH, MLP, PATCH = 48, 3, 2, 48, 8
SQUARE, WIDE = (48, 48), (40, 56)
HF = dict(hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=HEADS, patch_size=PATCH, attn_implementation="eager")
TIMM = dict(embed_dim=WIDTH, num_heads=HEADS, depth=DEPTH, mlp_ratio=MLP / WIDTH, patch_size=PATCH)


def shake(model, seed, dtype):
    """Random weights that `dtype` holds, large enough that every path matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 1 / math.sqrt(parameter[0].numel()) if parameter.dim() > 1 and "pos" not in name else 0.3
            center = 1.0 if parameter.dim() == 1 and name.endswith(("weight", "gamma", "lambda1")) else 0.0
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * scale + center
            parameter.copy_(noise.to(dtype))
    return model.double().eval()


def image_of(size, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, *size, generator=generator, dtype=torch.float64).half().double()


def saved(model):
    """State dict and config.json under the names that files carry, which differ from those in memory."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = pathlib.Path(folder) / "config.json"
        return load_file(pathlib.Path(folder) / "model.safetensors"), config.read_text()


def with_gradients_saved(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)
    return saved(model)[0]


def write(out, name, weights, dtype, outputs, config="", preprocessor="", metadata=None, gradients=None):
    tensors = {"weight/" + k: v.to(dtype) if v.is_floating_point() else v for k, v in weights.items()}
    tensors |= {k: v.half() if k == "image" else v.float() for k, v in outputs.items()}
    tensors |= {"gradient/" + k: v.float() for k, v in (gradients or {}).items()}
    notes = {"config": config, "preprocessor": preprocessor, "metadata": json.dumps(metadata or {})}
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, out / f"{name}.safetensors", metadata=notes)


def joined(state, prefix, names, leaf):
    return torch.cat([state[f"{prefix}{name}.{leaf}"] for name in names])


def ours_from_hf_clip(state):
    vision = {k.removeprefix("vision_model."): v for k, v in state.items()}
    ours = {"cls_token": vision["embeddings.class_embedding"], "pos_embed": vision["embeddings.position_embedding.weight"],
            "patch_embed.proj.weight": vision["embeddings.patch_embedding.weight"]}
    for leaf in ("weight", "bias"):
        ours[f"norm_pre.{leaf}"], ours[f"norm.{leaf}"] = vision[f"pre_layrnorm.{leaf}"], vision[f"post_layernorm.{leaf}"]
        for i in range(DEPTH):
            theirs = f"encoder.layers.{i}."
            ours[f"blocks.{i}.attn.qkv.{leaf}"] = joined(vision, theirs + "self_attn.", ("q_proj", "k_proj", "v_proj"), leaf)
            for new, old in (("norm1", "layer_norm1"), ("attn.proj", "self_attn.out_proj"), ("norm2", "layer_norm2"),
                             ("mlp.fc1", "mlp.fc1"), ("mlp.fc2", "mlp.fc2")):
                ours[f"blocks.{i}.{new}.{leaf}"] = vision[f"{theirs}{old}.{leaf}"]
    return {"encoder." + k: v for k, v in ours.items()}


def ours_from_hf_dinov2(state):
    ours = {"cls_token": state["embeddings.cls_token"], "pos_embed": state["embeddings.position_embeddings"],
            "reg_token": state["embeddings.register_tokens"]}
    for leaf in ("weight", "bias"):
        ours[f"patch_embed.proj.{leaf}"] = state[f"embeddings.patch_embeddings.projection.{leaf}"]
        ours[f"norm.{leaf}"] = state[f"layernorm.{leaf}"]
        for i in range(DEPTH):
            theirs = f"encoder.layer.{i}."
            ours[f"blocks.{i}.attn.qkv.{leaf}"] = joined(state, theirs + "attention.attention.", ("query", "key", "value"), leaf)
            for new, old in (("norm1", "norm1"), ("attn.proj", "attention.output.dense"), ("norm2", "norm2"),
                             ("mlp.fc1", "mlp.fc1"), ("mlp.fc2", "mlp.fc2")):
                ours[f"blocks.{i}.{new}.{leaf}"] = state[f"{theirs}{old}.{leaf}"]
    for i in range(DEPTH):
        for scale in (1, 2):
            ours[f"blocks.{i}.ls{scale}.gamma"] = state[f"encoder.layer.{i}.layer_scale{scale}.lambda1"]
    return {"encoder." + k: v for k, v in ours.items()}


def openai_from_hf_clip(state):
    """clip/model.py's names, with what a whole CLIP holds beside the image tower."""
    ours = {k.removeprefix("encoder."): v for k, v in ours_from_hf_clip(state).items()}
    renamed = {"visual.class_embedding": ours["cls_token"], "visual.positional_embedding": ours["pos_embed"],
               "visual.conv1.weight": ours["patch_embed.proj.weight"], "visual.proj": state["visual_projection.weight"].t()}
    for key, value in ours.items():
        for new, old in (("norm_pre.", "ln_pre."), ("norm.", "ln_post.")):
            if key.startswith(new):
                renamed["visual." + old + key.removeprefix(new)] = value
        if key.startswith("blocks."):
            for new, old in (("blocks.", "visual.transformer.resblocks."), ("norm1", "ln_1"), ("norm2", "ln_2"), ("attn.qkv.", "attn.in_proj_"),
                             ("attn.proj", "attn.out_proj"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj")):
                key = key.replace(new, old)
            renamed[key] = value
    renamed |= {"token_embedding.weight": torch.zeros(5, 8), "positional_embedding": torch.zeros(7, 8), "text_projection": torch.zeros(8, 8),
                "transformer.resblocks.0.ln_1.weight": torch.zeros(8), "ln_final.weight": torch.zeros(8), "logit_scale": torch.zeros(()),
                "input_resolution": torch.tensor(48), "context_length": torch.tensor(7), "vocab_size": torch.tensor(5)}
    return renamed


def dinov2_from_ours(ours, mask_token):
    """facebookresearch/dinov2's names."""
    state = {k.removeprefix("encoder."): v for k, v in ours.items()}
    state["register_tokens"] = state.pop("reg_token")
    return state | {"mask_token": mask_token}


def hf_tokens(result, registers=0):
    """The last norm is applied; block 1; the class token's attention."""
    last, block, attention = result.last_hidden_state, result.hidden_states[1], result.attentions[-1]
    return {"tokens": last[:, 1 + registers:], "class": last[:, 0], "block": torch.cat([block[:, :1], block[:, 1 + registers:]], 1),
            "attention": attention[:, :, 0, 1 + registers:].mean(1)}


def make_hf_vit(out):
    model = shake(transformers.ViTModel(transformers.ViTConfig(image_size=list(WIDE), intermediate_size=MLP, **HF)), 1, torch.float16)
    image = image_of(WIDE)
    outputs = hf_tokens(model(image, output_hidden_states=True, output_attentions=True))
    weights, config = saved(model)
    preprocessor = json.dumps({"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.3]})
    write(out, "hf_vit", weights, torch.float16, {"image": image} | outputs, config, preprocessor)


def make_hf_vit_mae(out):
    config = transformers.ViTMAEConfig(image_size=48, intermediate_size=MLP, decoder_hidden_size=16, decoder_num_hidden_layers=1,
                                       decoder_num_attention_heads=2, decoder_intermediate_size=32, mask_ratio=0.0, **HF)
    model = shake(transformers.ViTMAEForPreTraining(config), 2, torch.float16)
    image = image_of(SQUARE)
    order = torch.arange(36, dtype=torch.float64)[None]  # nothing is masked, and nothing is moved
    outputs = hf_tokens(model.vit(image, noise=order, output_hidden_states=True, output_attentions=True))
    weights, text = saved(model)
    write(out, "hf_vit_mae", weights, torch.float16, {"image": image} | outputs, text)


def clip_outputs(model, image):
    result = model.vision_model(image, output_hidden_states=True, output_attentions=True, interpolate_pos_encoding=True)
    last = model.vision_model.post_layernorm(result.last_hidden_state)
    return {"tokens": last[:, 1:], "class": last[:, 0], "block": result.hidden_states[1], "projected": model.visual_projection(last[:, 0]),
            "attention": result.attentions[-1][:, :, 0, 1:].mean(1)}


def make_clip(out):
    config = transformers.CLIPVisionConfig(image_size=48, intermediate_size=MLP, projection_dim=32, **HF)
    model = shake(transformers.CLIPVisionModelWithProjection(config), 4, torch.float16)
    weights, text = saved(model)
    image, wide = image_of(SQUARE), image_of(WIDE)
    outputs = {"image": image} | clip_outputs(model, image)
    with torch.no_grad():  # the same file on images of another shape
        interpolated = {"image": wide} | clip_outputs(model, wide)
    openai = {k: v.to(torch.int64) if v.dtype == torch.int64 else v for k, v in openai_from_hf_clip(weights).items()}
    write(out, "openai_clip", openai, torch.float16, interpolated, metadata={"num_heads": str(HEADS)})
    (outputs["tokens"].square().sum() + outputs["class"].square().sum()).backward()
    weights |= {"vision_model.embeddings.position_ids": torch.arange(37)[None], "logit_scale": torch.zeros(()),
                "text_model.final_layer_norm.weight": torch.zeros(8)}
    write(out, "hf_clip", weights, torch.float16, outputs, text, gradients=ours_from_hf_clip(with_gradients_saved(model)))


def make_dinov2(out):
    config = transformers.Dinov2WithRegistersConfig(image_size=48, mlp_ratio=MLP // WIDTH, num_register_tokens=4, **HF)
    model = shake(transformers.Dinov2WithRegistersModel(config), 5, torch.float16)
    weights, text = saved(model)
    image = image_of(SQUARE)
    outputs = {"image": image} | hf_tokens(model(image, output_hidden_states=True, output_attentions=True), registers=4)
    official = dinov2_from_ours(ours_from_hf_dinov2(weights), weights["embeddings.mask_token"])
    write(out, "dinov2", official, torch.float16, outputs, metadata={"num_heads": str(HEADS)})
    (outputs["tokens"].square().sum() + outputs["class"].square().sum()).backward()
    write(out, "hf_dinov2_registers", weights, torch.float16, outputs, text, gradients=ours_from_hf_dinov2(with_gradients_saved(model)))

    plain = shake(transformers.Dinov2Model(transformers.Dinov2Config(image_size=48, mlp_ratio=MLP // WIDTH, **HF)), 6, torch.float16)
    wide = image_of(WIDE)
    outputs = {"image": wide} | hf_tokens(plain(wide, output_hidden_states=True, output_attentions=True))
    weights, text = saved(plain)
    write(out, "hf_dinov2", weights, torch.float16, outputs, text)


def timm_outputs(model, image):
    extra = model.num_prefix_tokens
    last, blocks = model.forward_intermediates(image, indices=[0], norm=False, output_fmt="NLC", return_prefix_tokens=extra > 0)
    block = torch.cat([blocks[0][1][:, :1], blocks[0][0]], 1) if extra > 0 else blocks[0]
    outputs = {"tokens": last[:, extra:], "block": block}
    return outputs | ({"class": last[:, 0]} if model.has_class_token else {})


def make_timm(out, name, architecture, size, seed, dtype, arguments, config=True):
    arguments = TIMM | {"img_size": list(size)} | arguments
    model = shake(timm.create_model(architecture, num_classes=7, **arguments), seed, dtype)
    image = image_of(size)
    pretrained = {"input_size": [3, *size], "mean": [0.5, 0.4, 0.3], "std": [0.3, 0.2, 0.1]}
    text = json.dumps({"architecture": architecture, "model_args": arguments, "pretrained_cfg": pretrained})
    metadata = {} if config else {"num_heads": str(HEADS)}
    write(out, name, model.state_dict(), dtype, {"image": image} | timm_outputs(model, image), text if config else "", metadata=metadata)


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    make_hf_vit(out)
    make_hf_vit_mae(out)
    make_clip(out)
    make_dinov2(out)
    make_timm(out, "timm_vit", "vit_base_patch16_224", WIDE, 11, torch.bfloat16, {"depth": 1, "qkv_bias": False})
    make_timm(out, "timm_clip_quickgelu", "vit_base_patch16_clip_quickgelu_224", WIDE, 12, torch.float16, {"depth": 1})
    make_timm(out, "timm_dino", "vit_small_patch8_224", SQUARE, 13, torch.float16, {"depth": 1}, config=False)
    make_timm(out, "timm_dinov2_registers", "vit_base_patch14_reg4_dinov2", WIDE, 14, torch.float16, {"depth": 1, "init_values": 0.5})
    make_timm(out, "timm_without_class_token", "vit_base_patch16_224", SQUARE, 15, torch.float16,
              {"depth": 1, "class_token": False, "global_pool": "avg", "fc_norm": False})


if __name__ == "__main__":
    main()
