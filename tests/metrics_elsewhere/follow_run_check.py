#!/usr/bin/env python3
"""The bridges of examples/bridges against a run that is being written, with stand-ins for the clients of MLflow and W&B. Standard library
only; scripts/metrics_elsewhere has the real clients. Prints nothing when all is well."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

BRIDGES = pathlib.Path(__file__).absolute().parents[2] / "examples/bridges"
sys.path.insert(0, str(BRIDGES))
from follow_run import rows  # noqa: E402

STAND_IN = """
import contextlib, json, os
def _say(**what):
    with open(os.environ["TOLD"], "a") as told: told.write(json.dumps(what) + "\\n")
def set_experiment(name): pass
@contextlib.contextmanager
def start_run(run_name): yield
def log_text(text, name): _say(text=text)
def log_metrics(numbers, step): _say(step=step, numbers=numbers)
class _Run:
    def define_metric(self, name, step_metric): pass
    def log(self, numbers): _say(step=numbers.pop("step"), numbers=numbers)
@contextlib.contextmanager
def init(project, name, config):
    _say(text=config["job"])
    yield _Run()
"""


def line(**numbers):
    return json.dumps(numbers) + "\n"


def write_run(out):
    (out / "job.textproto").write_text("name: \"small\"\n")
    (out / "metrics.jsonl").write_text(line(step=1, loss=2.0, time=1700000001) + line(step=2, loss=None) + '{"step":3,"lo')
    (out / "evaluations.jsonl").write_text(line(step=0, knn_accuracy=0.1))


def a_live_run_is_followed_to_its_end(out):
    write_run(out)
    told = []
    source = rows(out, follow=True, period=0.01)
    told += [next(source) for _ in range(3)]
    with open(out / "metrics.jsonl", "a") as metrics:
        metrics.write('ss":1.5}\n')
    told.append(next(source))
    # A restarted run: the file begins anew, step 3 comes again, and the report ends it.
    (out / "metrics.jsonl").write_text(line(step=3, loss=1.25) + line(step=4, loss=1.0))
    (out / "report.html").write_text("")
    told += list(source)
    assert told == [(1, 1700000001, {"loss": 2.0}), (2, None, {}), (0, None, {"evaluation/knn_accuracy": 0.1}), (3, None, {"loss": 1.5}),
                    (4, None, {"loss": 1.0})], told


def each_bridge_tells_its_client(out, stand_ins):
    write_run(out)
    for module, script in (("mlflow", "to_mlflow.py"), ("wandb", "to_wandb.py")):
        (stand_ins / f"{module}.py").write_text(STAND_IN)
        heard = stand_ins / f"{module}.heard"
        subprocess.run([sys.executable, str(BRIDGES / script), str(out)], check=True,
                       env={**os.environ, "PYTHONPATH": str(stand_ins), "TOLD": str(heard), "PYTHONDONTWRITEBYTECODE": "1"})
        told = [json.loads(text) for text in heard.read_text().splitlines()]
        assert told == [{"text": "name: \"small\"\n"}, {"step": 1, "numbers": {"loss": 2.0}}, {"step": 2, "numbers": {}},
                        {"step": 0, "numbers": {"evaluation/knn_accuracy": 0.1}}], (module, told)


for check in (a_live_run_is_followed_to_its_end, each_bridge_tells_its_client):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        arguments = [pathlib.Path(one), pathlib.Path(two)][:check.__code__.co_argcount]
        check(*arguments)
