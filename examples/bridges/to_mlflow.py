#!/usr/bin/env python3
"""A run's numbers into MLflow:  to_mlflow.py OUT [--follow] [--experiment NAME]

OUT is the folder of `mimeo run --out OUT`. With --follow it goes on until the run is over. Where the numbers go is MLflow's business:
MLFLOW_TRACKING_URI. Needs `pip install mlflow`."""
import argparse
import pathlib

import mlflow
from follow_run import rows

parser = argparse.ArgumentParser()
parser.add_argument("out", type=pathlib.Path)
parser.add_argument("--follow", action="store_true")
parser.add_argument("--experiment", default="mimeo")
args = parser.parse_args()

mlflow.set_experiment(args.experiment)
with mlflow.start_run(run_name=args.out.name):
    mlflow.log_text((args.out / "job.textproto").read_text(), "job.textproto")
    for step, seconds, numbers in rows(args.out, args.follow):
        mlflow.log_metrics(numbers, step=step)
