#!/usr/bin/env python3
"""TensorBoard's, MLflow's and W&B's own readers find the numbers of a run (scripts/metrics_elsewhere).

  readers_check.py MIMEO
"""
import csv
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

MIMEO = os.path.abspath(sys.argv[1])
BRIDGES = pathlib.Path(__file__).absolute().parents[2] / "examples/bridges"
STEPS = 40


def single(number):
    """TensorBoard keeps single precision."""
    return struct.unpack("f", struct.pack("f", number))[0]


def write_run(out):
    """Returns what should be found: {name: [(step, number), ...]}."""
    expected = {}
    with open(out / "metrics.jsonl", "w") as metrics, open(out / "evaluations.jsonl", "w") as evaluations:
        for step in range(1, STEPS + 1):
            numbers = {"loss": 1 / step, "loss/pixels": 0.1 * step, "stat/encoder/effective_rank": 3.7, "learning_rate": 1e-4 * step}
            metrics.write(json.dumps({"step": step, **numbers, "time": 1700000000 + step}) + "\n")
            for name, number in numbers.items():
                expected.setdefault(name, []).append((step, number))
        for step in (0, 20, STEPS):
            evaluations.write(json.dumps({"step": step, "knn_accuracy": step / 100}) + "\n")
            expected.setdefault("evaluation/knn_accuracy", []).append((step, step / 100))
    (out / "job.textproto").write_text("name: \"small\"\n")
    (out / "report.html").write_text("")
    return expected


def run(*words, **environment):
    subprocess.run([str(word) for word in words], check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
                   stdout=subprocess.DEVNULL)


def tensorboard(out, work, expected):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    events = work / "events"
    run(MIMEO, "metrics", out, "--to", "tensorboard", "--out", events)
    run(MIMEO, "metrics", out, "--to", "tensorboard", "--out", events)  # a second session of the same run replaces the first
    found = EventAccumulator(str(events), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    for name, numbers in expected.items():
        scalars = [(scalar.step, scalar.value) for scalar in found.Scalars(name)]
        assert scalars == [(step, single(number)) for step, number in numbers], (name, scalars)
    assert found.Scalars("loss")[4].wall_time == 1700000005


def table(out, work, expected):
    run(MIMEO, "metrics", out / "metrics.jsonl", "--to", "csv", "--out", work / "run.csv")
    with open(work / "run.csv", newline="") as text:
        lines = list(csv.DictReader(text))
    assert [int(line["step"]) for line in lines] == list(range(STEPS + 1))
    for name, numbers in expected.items():
        found = [(int(line["step"]), float(line[name])) for line in lines if line[name]]
        assert found == numbers, (name, found)


def mlflow(out, work, expected):
    where = f"sqlite:///{work}/mlflow.db"
    run(sys.executable, BRIDGES / "to_mlflow.py", out, "--follow", MLFLOW_TRACKING_URI=where, MLFLOW_ARTIFACT_URI=str(work / "artifacts"))
    from mlflow.tracking import MlflowClient
    client = MlflowClient(where)
    (known,) = client.search_runs([client.get_experiment_by_name("mimeo").experiment_id])
    for name, numbers in expected.items():
        found = sorted((metric.step, metric.value) for metric in client.get_metric_history(known.info.run_id, name))
        assert found == numbers, (name, found)


def wandb_records(data):
    """LevelDB's log, as `wandb sync` reads it: a header of 7 bytes; blocks of 32 KiB; pieces of checksum, length and type."""
    at, whole = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768  # too short for a piece
        _, length, kind = struct.unpack_from("<IHB", data, at)
        if kind == 0:
            return
        whole += data[at + 7:at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # all of a record, or its last piece
            yield whole
            whole = b""


def wandb(out, work, expected):
    run(sys.executable, BRIDGES / "to_wandb.py", out, "--follow", WANDB_MODE="offline", WANDB_DIR=str(work), WANDB_SILENT="true")
    from wandb.proto.wandb_internal_pb2 import Record
    (path,) = work.glob("wandb/offline-run-*/*.wandb")
    found = {}
    for data in wandb_records(path.read_bytes()):
        record = Record.FromString(data)
        numbers = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for name, number in numbers.items():
            found.setdefault(name, []).append((numbers.get("step"), number))
    for name, numbers in expected.items():
        assert found.get(name) == numbers, (name, found.get(name))


for check in (tensorboard, table, mlflow, wandb):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        run_folder = pathlib.Path(one)
        os.chdir(two)
        check(run_folder, pathlib.Path(two), write_run(run_folder))
        print(f"{check.__name__}: equal numbers")
        os.chdir("/")
