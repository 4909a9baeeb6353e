#!/usr/bin/env python3
"""The same methods as the recipes beside this file, as a researcher would write them: timm's blocks, torchvision's transforms, torch's AdamW.

  peer.py mae|simclr|dino --seed N [--steps N] [--threads N] [--start FILE --views DIR]
                                                                  FILE: a checkpoint.safetensors of the recipe beside this file, DIR: what
                                                                  //data:write_views wrote; training begins from these weights and sees these crops.
                                                                  One JSON object on stdout: method, seed, steps, knn_accuracy, loss (mean of
                                                                  the last steps), losses, seconds
"""
import argparse
import copy
import functools
import json
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from timm.models.vision_transformer import Block
from torch import nn
from torchvision.transforms import v2

from fashion_mnist import SOURCE, read_idx

MEAN, STD, BATCH, PATCH, WIDTH, HEADS = 0.286, 0.353, 128, 4, 96, 3
STEPS = {"mae": 1000, "simclr": 400, "dino": 400}
WARMUP = {"mae": 50, "simclr": 20, "dino": 40}
LAST = 50  # steps whose losses are averaged
BASE_RATE = {"mae": 4e-3, "simclr": 4e-3, "dino": 2e-3}


def sine_cosine(rows, width):
    """facebookresearch/mae, util/pos_embed.py: (rows * rows, width), the column's half first."""
    omega = 1.0 / 10000 ** (torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    def axis(position):
        angles = position.flatten()[:, None] * omega[None]
        return torch.cat([angles.sin(), angles.cos()], dim=1)
    row, col = torch.meshgrid(torch.arange(rows, dtype=torch.float64), torch.arange(rows, dtype=torch.float64), indexing="ij")
    return torch.cat([axis(col), axis(row)], dim=1).float()


def initialise(module):
    """facebookresearch/mae, models_mae.py, _init_weights."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(1, WIDTH, PATCH, PATCH)
        nn.init.xavier_uniform_(self.patch.weight.view(WIDTH, -1))
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, WIDTH))
        self.register_buffer("positions", sine_cosine(28 // PATCH, WIDTH))
        self.blocks = nn.ModuleList([Block(WIDTH, HEADS, 4, qkv_bias=True, norm_layer=functools.partial(nn.LayerNorm, eps=1e-6)) for _ in range(4)])
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.blocks.apply(initialise)

    def places(self, side):
        if side == 28 // PATCH:
            return self.positions
        grid = self.positions.T.reshape(1, WIDTH, 28 // PATCH, 28 // PATCH)
        return F.interpolate(grid, (side, side), mode="bicubic", align_corners=False).flatten(2)[0].T

    def forward(self, images, keep=None):
        """(B, 1, H, W) -> (B, 1 + K, D); keep: (B, K) patch numbers."""
        x = self.patch(images)
        x = x.flatten(2).transpose(1, 2) + self.places(x.shape[-1])
        if keep is not None:
            x = torch.gather(x, 1, keep[..., None].expand(-1, -1, WIDTH))
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Mae(nn.Module):
    DECODER = 64

    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.embed = nn.Linear(WIDTH, self.DECODER)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, self.DECODER))
        self.register_buffer("positions", torch.cat([torch.zeros(1, self.DECODER), sine_cosine(28 // PATCH, self.DECODER)]))
        self.block = Block(self.DECODER, 2, 4, qkv_bias=True, norm_layer=functools.partial(nn.LayerNorm, eps=1e-6))
        self.norm = nn.LayerNorm(self.DECODER, eps=1e-6)
        self.predict = nn.Linear(self.DECODER, PATCH * PATCH)
        for part in (self.embed, self.block, self.predict):
            part.apply(initialise)

    def loss(self, views, step, total):
        images = views[0]
        batch, patches = len(images), (28 // PATCH) ** 2
        visible = int(patches * 0.25)
        shuffle = torch.rand(batch, patches).argsort(dim=1)
        restore, keep = shuffle.argsort(dim=1), shuffle[:, :visible]
        x = self.embed(self.encoder(images, keep))
        masks = self.mask_token.expand(batch, patches - visible, -1)
        rest = torch.cat([x[:, 1:], masks], dim=1)
        rest = torch.gather(rest, 1, restore[..., None].expand(-1, -1, self.DECODER))
        x = torch.cat([x[:, :1], rest], dim=1) + self.positions
        predicted = self.predict(self.norm(self.block(x)))[:, 1:]
        target = images.reshape(batch, 28 // PATCH, PATCH, 28 // PATCH, PATCH).permute(0, 1, 3, 2, 4).reshape(batch, patches, -1)
        target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
        hidden = (restore >= visible).float()
        return ((predicted - target).square().mean(-1) * hidden).sum() / hidden.sum()

    def after(self, step, total):
        pass


class SimClr(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.projector = nn.Sequential(nn.Linear(WIDTH, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 64, bias=False),
                                       nn.BatchNorm1d(64, affine=False))
        self.projector.apply(initialise)

    def loss(self, views, step, total):
        pooled = torch.cat([self.encoder(view)[:, 1:].mean(1) for view in views])
        z = F.normalize(self.projector(pooled), dim=1)
        scores = z @ z.T / 0.2
        scores.fill_diagonal_(-torch.inf)
        return F.cross_entropy(scores, torch.arange(len(z)).roll(len(z) // 2))

    def after(self, step, total):
        pass


class DinoHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(WIDTH, 256), nn.GELU(), nn.Linear(256, 64))
        self.layers.apply(initialise)
        self.prototypes = nn.Parameter(0.02 * torch.randn(1024, 64))

    def forward(self, x):
        return F.normalize(self.layers(x), dim=1) @ F.normalize(self.prototypes, dim=1).T


class Dino(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = Encoder(), DinoHead()
        self.teacher_encoder, self.teacher_head = copy.deepcopy(self.encoder), copy.deepcopy(self.head)
        for part in (self.teacher_encoder, self.teacher_head):
            part.requires_grad_(False)
        self.center = torch.zeros(1024)

    def loss(self, views, step, total):
        with torch.no_grad():
            scores = [self.teacher_head(self.teacher_encoder(view)[:, 0]) for view in views[:2]]
            targets = [F.softmax((s - self.center) / 0.04, dim=1) for s in scores]
            self.batch_center = torch.cat(scores).mean(0)
        losses = []
        for i, view in enumerate(views):
            predicted = F.log_softmax(self.head(self.encoder(view)[:, 0]) / 0.1, dim=1)
            losses += [-(target * predicted).sum(1).mean() for j, target in enumerate(targets) if i != j]
        return sum(losses) / len(losses)

    @torch.no_grad()
    def after(self, step, total):
        decay = 1 - (1 - 0.99) * (math.cos(math.pi * step / (total - 1)) + 1) / 2
        for mine, theirs in ((self.encoder, self.teacher_encoder), (self.head, self.teacher_head)):
            for a, b in zip(mine.parameters(), theirs.parameters()):
                b.mul_(decay).add_(a, alpha=1 - decay)
        self.center = 0.9 * self.center + 0.1 * self.batch_center


def transforms(method):
    """One per view, on uint8 (1, 28, 28)."""
    def view(px, low, high, jitter=False, blur=0.0):
        steps = [v2.RandomResizedCrop(px, scale=(low, high), interpolation=v2.InterpolationMode.BICUBIC, antialias=True)]
        if jitter:
            steps.append(v2.RandomApply([v2.ColorJitter(brightness=0.4, contrast=0.4)], p=0.8))
        if blur:
            steps.append(v2.RandomApply([v2.GaussianBlur(3, sigma=(0.1, 1.0))], p=blur))
        return v2.Compose(steps + [v2.RandomHorizontalFlip()])
    if method == "mae":
        return [view(28, 0.4, 1)]
    if method == "simclr":
        return [view(28, 0.3, 1, jitter=True)] * 2
    return [view(28, 0.4, 1, jitter=True, blur=0.5)] * 2 + [view(16, 0.1, 0.4, jitter=True)] * 2


def normalise(images):
    return (images.float() / 255 - MEAN) / STD


def load(prefix):
    shape, pixels = read_idx(SOURCE / f"{prefix}-images-idx3-ubyte.gz")
    _, labels = read_idx(SOURCE / f"{prefix}-labels-idx1-ubyte.gz")
    images = torch.from_numpy(np.frombuffer(pixels, np.uint8).copy()).view(-1, 1, *shape[1:])
    return images, torch.from_numpy(np.frombuffer(labels, np.uint8).copy()).long()


@torch.no_grad()
def knn_accuracy(encoder, k=20, temperature=0.07, images=5000):
    def features(prefix):
        pixels, labels = load(prefix)
        rows = [encoder(normalise(part))[:, 1:].mean(1) for part in pixels[:images].split(500)]
        return F.normalize(torch.cat(rows), dim=1), labels[:images]
    bank, bank_labels = features("train")
    queries, labels = features("t10k")
    similarity, nearest = (queries @ bank.T).topk(k, dim=1)
    votes = torch.zeros(len(queries), 10).scatter_add_(1, bank_labels[nearest], (similarity / temperature).exp())
    return (votes.argmax(1) == labels).float().mean().item()


def decays(name, parameter):
    return parameter.dim() > 1


# From the recipe's names to the ones here. The rest is called alike.
PIXELS = {"simclr": (28, 28), "dino": (28, 28, 16, 16)}  # of views
NAMES = [("objective.contrast.projector.fc1.", "projector.0."), ("objective.contrast.projector.norm1.", "projector.1."),
         ("objective.contrast.projector.fc2.", "projector.3."), ("encoder.cls_token", "encoder.class_token"), ("encoder.patch_embed.proj.", "encoder.patch."), ("objective.dino.prototypes", "head.prototypes"),
         ("objective.dino.head.fc1.", "head.layers.0."), ("objective.dino.head.fc2.", "head.layers.2.")]


@torch.no_grad()
def begin_from(path, model):
    parameters = dict(model.named_parameters())
    for name, value in load_file(path).items():
        if name.startswith(("optimizer.", "ema.")):
            continue
        for theirs, mine in NAMES:
            name = name.replace(theirs, mine)
        parameters.pop(name).copy_(value)
    left = [name for name in parameters if not name.startswith("teacher_")]
    assert not left, f"{path} has no {left}"
    if hasattr(model, "teacher_encoder"):
        model.teacher_encoder.load_state_dict(model.encoder.state_dict())
        model.teacher_head.load_state_dict(model.head.state_dict())


def train(method, seed, steps, start, given):
    torch.manual_seed(seed)
    images, _ = load("train")
    model = {"mae": Mae, "simclr": SimClr, "dino": Dino}[method]()
    if start:
        begin_from(start, model)
    views = transforms(method)
    if given:
        written = [np.memmap(f"{given}/view{v}.bin", np.uint8, mode="r").reshape(-1, BATCH, 1, px, px) for v, px in enumerate(PIXELS[method])]
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW([{"params": [p for n, p in trained if decays(n, p)], "weight_decay": 0.05},
                                   {"params": [p for n, p in trained if not decays(n, p)], "weight_decay": 0.0}], betas=(0.9, 0.95))
    peak, warmup = BASE_RATE[method] * BATCH / 256, WARMUP[method] if steps == STEPS[method] else steps // 20
    order = torch.empty(0, dtype=torch.long)
    losses = []
    for step in range(steps):
        if len(order) < BATCH:
            order = torch.randperm(len(images))
        batch, order = order[:BATCH], order[BATCH:]
        if given:
            pixels = [normalise(torch.from_numpy(np.array(view[step]))) for view in written]
        else:
            pixels = [normalise(torch.stack([view(images[i]) for i in batch])) for view in views]
        rate = peak * step / warmup if step < warmup else peak * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss = model.loss(pixels, step, steps)
        losses.append(loss.item())
        loss.backward()
        if method == "dino":
            nn.utils.clip_grad_norm_([p for _, p in trained], 3)
        optimizer.step()
        model.after(step, steps)
    return knn_accuracy(model.encoder.eval()), losses


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=sorted(STEPS))
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--start", default="", help="of simclr and dino")
    parser.add_argument("--views", default="")
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    torch.set_flush_denormal(True)
    began = time.monotonic()
    steps = flags.steps or STEPS[flags.method]
    accuracy, losses = train(flags.method, flags.seed, steps, flags.start, flags.views)
    loss = sum(losses[-LAST:]) / len(losses[-LAST:])
    print(json.dumps({"method": flags.method, "seed": flags.seed, "steps": steps, "knn_accuracy": accuracy, "loss": loss, "losses": losses, "seconds": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    main()
