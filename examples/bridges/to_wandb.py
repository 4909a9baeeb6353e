#!/usr/bin/env python3
"""A run's numbers into Weights & Biases:  to_wandb.py OUT [--follow] [--project NAME]

OUT is the folder of `mimeo run --out OUT`. With --follow it goes on until the run is over. WANDB_MODE=offline keeps everything on this
machine until `wandb sync`. Needs `pip install wandb`."""
import argparse
import pathlib

import wandb
from follow_run import rows

parser = argparse.ArgumentParser()
parser.add_argument("out", type=pathlib.Path)
parser.add_argument("--follow", action="store_true")
parser.add_argument("--project", default="mimeo")
args = parser.parse_args()

with wandb.init(project=args.project, name=args.out.name, config={"job": (args.out / "job.textproto").read_text()}) as run:
    run.define_metric("*", step_metric="step")  # an evaluation comes when the training is some steps further already
    for step, seconds, numbers in rows(args.out, args.follow):
        run.log({"step": step, **numbers})
