#!/usr/bin/env python3
"""Trains a method by its authors' own code, from Mimeo's weights, crops and masks, and writes down its losses.

  train.py METHOD CHECKOUT INPUTS.safetensors OUT.safetensors      METHOD: mae, dino, moco_v3 or simmim

CHECKOUT is a checkout of the method's official repository. Its models, losses, optimizer groups, schedules and loops over an epoch are
called as they stand; what is replaced is what a machine without a GPU lacks, and the random numbers that Mimeo's masks stand for. Nothing
of it is copied here. INPUTS is what tests/authors/authors_test.cc writes; OUT is the same with `losses` (float64). scripts/authors calls it.
"""
import functools
import os
import sys
import types

import numpy
import torch
from safetensors.torch import load_file, save_file

STEPS = 10
MEAN, STD = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
NORM = functools.partial(torch.nn.LayerNorm, eps=1e-6)
BLOCK = ("norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight", "attn.proj.bias", "norm2.weight",
         "norm2.bias", "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias")


class Inputs:
    def __init__(self, path):
        self.tensors = load_file(path)

    def weight(self, name):
        return self.tensors["weight/" + name]

    def images(self, step, view):
        return (self.tensors[f"view/{view}"][step].float() / 255 - MEAN) / STD

    def places(self, step, what):
        return self.tensors[what + "/0"][step]


def without_gpu():
    """What the authors' loops ask of a GPU and of several processes."""
    torch.Tensor.cuda = lambda tensor, *args, **kwargs: tensor
    torch.cuda.synchronize = lambda *args: None
    torch.cuda.max_memory_allocated = lambda *args: 0
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="0")
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    # Modules that torch and numpy no longer have, or that are asked for and not used.
    numpy.float = float
    sys.modules["torch._six"] = types.SimpleNamespace(inf=float("inf"))
    sys.modules["torch.utils.tensorboard"] = types.SimpleNamespace(SummaryWriter=None)


class Recorded(torch.nn.Module):
    """A model as DistributedDataParallel holds it; `losses` has what its forward passes returned, where that is a loss."""

    def __init__(self, module):
        super().__init__()
        self.module = module
        self.losses = []

    def forward(self, *args, **kwargs):
        out = self.module(*args, **kwargs)
        loss = out[0] if isinstance(out, tuple) else out
        if loss.dim() == 0:
            self.losses.append(loss.item())
        return out


@torch.no_grad()
def copy(state, pairs):
    """`pairs`: the authors' names and our tensors. Every tensor of the state has to be among them, whole."""
    assert set(state) == set(pairs), set(state) ^ set(pairs)
    for name, tensor in pairs.items():
        assert state[name].numel() == tensor.numel(), (name, state[name].shape, tensor.shape)
        state[name].copy_(tensor.reshape(state[name].shape))


def vit(inputs, prefix, depth=2):
    """timm's names, which Mimeo has too."""
    names = [f"blocks.{i}.{part}" for i in range(depth) for part in BLOCK]
    names += ["cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias", "norm.weight", "norm.bias"]
    return {prefix + name: inputs.weight("encoder." + name) for name in names}


def mae(inputs):
    import engine_pretrain
    import models_mae
    import timm.optim.optim_factory
    import util.misc
    util.misc.MetricLogger.synchronize_between_processes = lambda self: None
    model = models_mae.MaskedAutoencoderViT(img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, decoder_embed_dim=16,
                                            decoder_depth=1, decoder_num_heads=2, mlp_ratio=4, norm_layer=NORM, norm_pix_loss=True)
    pairs = vit(inputs, "")
    pairs |= {name: inputs.weight("objective.pixels." + name) for name in model.state_dict() if "decoder" in name or name == "mask_token"}
    copy(model.state_dict(), pairs)
    orders = [torch.cat([inputs.places(step, "visible"), inputs.places(step, "hidden")], 1) for step in range(STEPS)]
    noises = iter([torch.argsort(order, 1).float() for order in orders])
    rand, torch.rand = torch.rand, lambda *shape, **kwargs: next(noises)  # random_masking sorts it
    args = types.SimpleNamespace(accum_iter=1, lr=0.1 * 6 / 256, min_lr=0., warmup_epochs=1, epochs=5, mask_ratio=0.75)
    optimizer = torch.optim.AdamW(timm.optim.optim_factory.add_weight_decay(model, 0.05), lr=args.lr, betas=(0.9, 0.95))
    recorded = Recorded(model)

    def step(loss, optimizer, parameters, update_grad):
        loss.backward()
        optimizer.step()
    for epoch in range(3):
        batches = Epoch([(inputs.images(i, 0), None) for i in range(4 * epoch, min(4 * epoch + 4, STEPS))])
        engine_pretrain.train_one_epoch(recorded, batches, optimizer, torch.device("cpu"), epoch, step, args=args)
    torch.rand = rand
    return recorded.losses


class Epoch(list):
    """Four batches, the last of which may not be there: no more than STEPS are trained."""

    def __len__(self):
        return 4


def dino(inputs):
    import main_dino
    import utils
    import vision_transformer

    def network():
        backbone = vision_transformer.VisionTransformer(img_size=[24], patch_size=8, embed_dim=32, depth=2, num_heads=2, mlp_ratio=4,
                                                        qkv_bias=True, norm_layer=NORM)
        head = vision_transformer.DINOHead(32, 64, nlayers=3, hidden_dim=32, bottleneck_dim=16)
        model = utils.MultiCropWrapper(backbone, head)
        pairs = vit(inputs, "backbone.")
        for ours, theirs in (("fc1", 0), ("fc2", 2), ("fc3", 4)):
            for part in ("weight", "bias"):
                pairs[f"head.mlp.{theirs}.{part}"] = inputs.weight(f"objective.dino.head.{ours}.{part}")
        pairs |= {"head.last_layer.weight_v": inputs.weight("objective.dino.prototypes"), "head.last_layer.weight_g": torch.ones(64)}
        copy(model.state_dict(), pairs)
        return model
    student, teacher = Recorded(network()), network()
    for parameter in teacher.parameters():
        parameter.requires_grad = False
    loss = Recorded(main_dino.DINOLoss(64, 4, 0.04, 0.07, 3, 5))
    optimizer = torch.optim.AdamW(utils.get_params_groups(student))
    rates = utils.cosine_scheduler(0.05 * 6 / 256, 1e-6, 5, 4, warmup_epochs=1)
    decays = utils.cosine_scheduler(0.04, 0.4, 5, 4)
    momenta = utils.cosine_scheduler(0.9, 1, 5, 4)
    args = types.SimpleNamespace(epochs=5, clip_grad=0.3, freeze_last_layer=1)
    utils.MetricLogger.synchronize_between_processes = lambda self: None
    for epoch in range(3):
        batches = Epoch([([inputs.images(i, v) for v in range(4)], None) for i in range(4 * epoch, min(4 * epoch + 4, STEPS))])
        main_dino.train_one_epoch(student, teacher, teacher, loss, batches, optimizer, rates, decays, momenta, epoch, None, args)
    return loss.losses


def moco_v3(inputs):
    import main_moco
    import moco.builder
    import vits
    encoder = functools.partial(vits.VisionTransformerMoCo, stop_grad_conv1=True, img_size=24, patch_size=8, embed_dim=32, depth=2,
                                num_heads=2, mlp_ratio=4, qkv_bias=True, norm_layer=NORM)
    model = moco.builder.MoCo_ViT(encoder, dim=16, mlp_dim=32, T=0.2)

    def head(prefix, ours, linears, norms):
        pairs = {f"{prefix}.{3 * i}.weight": inputs.weight(f"objective.contrast.{ours}.fc{i + 1}.weight") for i in range(linears)}
        for i in range(norms):
            for part in ("weight", "bias"):
                pairs[f"{prefix}.{3 * i + 1}.{part}"] = inputs.weight(f"objective.contrast.{ours}.norm{i + 1}.{part}")
        return pairs
    pairs = head("predictor", "predictor", 2, 1)
    for network in ("base_encoder", "momentum_encoder"):
        pairs |= vit(inputs, network + ".") | head(network + ".head", "projector", 3, 2)
    copy({name: tensor for name, tensor in model.state_dict().items() if "running" not in name and "num_batches" not in name}, pairs)
    args = types.SimpleNamespace(lr=0.002 * 8 / 256, moco_m=0.9, moco_m_cos=False, gpu=None, rank=1, print_freq=100, warmup_epochs=1, epochs=5)
    optimizer = torch.optim.AdamW(model.parameters(), args.lr, weight_decay=0.1)
    recorded, scaler = Recorded(model), torch.amp.GradScaler("cuda", enabled=False)
    for epoch in range(3):
        batches = Epoch([([inputs.images(i, v) for v in range(2)], None) for i in range(4 * epoch, min(4 * epoch + 4, STEPS))])
        main_moco.train(batches, recorded, optimizer, scaler, None, epoch, args)
    return recorded.losses


def simmim(inputs):
    import config
    import main_simmim
    import models.simmim
    settings = config._C.clone()
    settings.merge_from_list(["MODEL.TYPE", "vit", "MODEL.DROP_PATH_RATE", 0.0, "MODEL.VIT.EMBED_DIM", 32, "MODEL.VIT.DEPTH", 2,
                              "MODEL.VIT.NUM_HEADS", 2, "MODEL.VIT.PATCH_SIZE", 8, "MODEL.VIT.USE_APE", True, "MODEL.NUM_CLASSES", 0,
                              "MODEL.VIT.USE_SHARED_RPB", False, "DATA.IMG_SIZE", 32, "TRAIN.EPOCHS", 1, "TRAIN.WARMUP_EPOCHS", 0,
                              "TRAIN.BASE_LR", 0.05 * 6 / 256, "TRAIN.CLIP_GRAD", 0.5, "TRAIN.LR_SCHEDULER.NAME", "multistep",
                              "TRAIN.LR_SCHEDULER.MULTISTEPS", [1000], "AMP_OPT_LEVEL", "O0"])
    v = settings.MODEL.VIT
    encoder = models.simmim.VisionTransformerForSimMIM(
        img_size=32, patch_size=v.PATCH_SIZE, in_chans=3, num_classes=0, embed_dim=v.EMBED_DIM, depth=v.DEPTH, num_heads=v.NUM_HEADS,
        mlp_ratio=v.MLP_RATIO, qkv_bias=v.QKV_BIAS, norm_layer=NORM, init_values=v.INIT_VALUES, use_abs_pos_emb=v.USE_APE,
        use_rel_pos_bias=v.USE_RPB, use_shared_rel_pos_bias=v.USE_SHARED_RPB, use_mean_pooling=v.USE_MEAN_POOLING)
    model = models.simmim.SimMIM(encoder=encoder, encoder_stride=8)
    pairs = vit(inputs, "encoder.") | {"encoder.mask_token": inputs.weight("encoder.mask_token")}
    for i in range(2):
        bias = pairs.pop(f"encoder.blocks.{i}.attn.qkv.bias").chunk(3)  # it has none of keys, which changes no attention
        pairs |= {f"encoder.blocks.{i}.attn.q_bias": bias[0], f"encoder.blocks.{i}.attn.v_bias": bias[2]}
        pairs |= {f"encoder.blocks.{i}.gamma_{j}": inputs.weight(f"encoder.blocks.{i}.ls{j}.gamma") for j in (1, 2)}
    # PixelShuffle has the channel slowest, Mimeo's patches have it fastest.
    for part in ("weight", "bias"):
        ours = inputs.weight(f"objective.pixels.pred.{part}")
        pairs[f"decoder.0.{part}"] = ours.reshape(8, 8, 3, -1).permute(2, 0, 1, 3)
    copy(model.state_dict(), pairs)
    main_simmim.logger = types.SimpleNamespace(info=lambda *args: None)
    optimizer = main_simmim.build_optimizer(settings, model, main_simmim.logger, is_pretrain=True)
    scheduler = main_simmim.build_scheduler(settings, optimizer, STEPS)
    batches = []
    for step in range(STEPS):
        mask = torch.zeros(6, 16, dtype=torch.long).scatter(1, inputs.places(step, "hidden"), 1).reshape(6, 4, 4)
        batches.append((inputs.images(step, 0), mask, None))
    recorded = Recorded(model)
    main_simmim.train_one_epoch(settings, recorded, batches, optimizer, 0, scheduler)
    return recorded.losses


def main():
    method, checkout, given, out = sys.argv[1:]
    sys.path.insert(0, checkout)
    torch.set_num_threads(1)
    without_gpu()
    inputs = Inputs(given)
    losses = globals()[method](inputs)
    assert len(losses) == STEPS, losses
    print(method, *(f"{loss:.7f}" for loss in losses))
    save_file(inputs.tensors | {"losses": torch.tensor(losses, dtype=torch.float64)}, out)


if __name__ == "__main__":
    main()
