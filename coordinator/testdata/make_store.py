#!/usr/bin/env python3
"""Makes a coordinator's directory with a job in every state, as the binaries of a given commit write it.

    git worktree add /tmp/old 04ab777 && cd /tmp/old && bazel build //client:mimeo //coordinator //worker
    mkdir /tmp/old/bin && cp bazel-bin/client/mimeo bazel-bin/coordinator/coordinator bazel-bin/worker/worker /tmp/old/bin
    python3 coordinator/testdata/make_store.py /tmp/old/bin store_04ab777.tar.xz      (typed in the root of that commit's tree)

Training is real, in small: two agents of one slot each, a model of a few thousand parameters. The coordinator is killed once between
jobs and once while a job runs. The tar holds `state/`, its --data_dir, as SIGKILL left it.
"""
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading

SMALL = ["data.global_batch=96", "encoder.vit.width=8", "encoder.vit.depth=1", "encoder.vit.heads=1", "encoder.vit.patch_px=4",
         "objective[pixels].reconstruction.decoder_width=8", "objective[pixels].reconstruction.decoder_depth=1",
         "objective[pixels].reconstruction.decoder_heads=1", "schedule.epochs=", "schedule.warmup_epochs=", "evaluation.path=",
         "checkpoint.every_steps=40", "checkpoint.keep_last=2"]


class Cluster:
    def __init__(self, binaries, directory):
        self.binaries, self.directory, self.children, self.started = binaries, directory, {}, 0
        self.address = "127.0.0.1:0"
        self.coordinator()

    def coordinator(self):
        self.address = self.start("coordinator", ["coordinator", "--listen", self.address, "--data_dir", self.directory + "/state"])

    def start(self, name, command):
        self.started += 1
        announcement = f"{self.directory}/announce{self.started}.json"
        log = open(f"{self.directory}/{name}.log", "ab")
        self.children[name] = subprocess.Popen([f"{self.binaries}/{command[0]}", *command[1:], "--announce", announcement], stderr=log)
        wait(lambda: os.path.exists(announcement), name + " is there")
        with open(announcement) as file:
            return json.load(file).get("address")

    def worker(self, name):
        self.start(name, ["worker", "agent", "--coordinator", self.address, "--id", name, "--dir", f"{self.directory}/{name}",
                          "--device", "cpu"])

    def mimeo(self, *arguments):
        command = [f"{self.binaries}/mimeo", "--server", self.address, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()

    def submit(self, *settings):
        flags = [word for setting in SMALL + list(settings) for word in ("--set", setting)]
        return self.mimeo("submit", "recipes/tiny_mae.textproto", *flags).strip()

    def await_job(self, job, what, ready):
        wait(lambda: ready(json.loads(self.mimeo("-o", "json", "show", job))), f"{job} {what}")

    def kill(self, name):
        self.children[name].send_signal(signal.SIGKILL)
        self.children[name].wait()


def wait(ready, what):
    pause = threading.Event()
    for _ in range(1200):
        if ready():
            return
        pause.wait(0.05)
    sys.exit(f"{what}: not within a minute")


def in_state(state):
    return lambda job: job["state"] == "JOB_STATE_" + state


def beyond(step):
    return lambda job: int(job.get("checkpointStep", job.get("checkpoint_step", 0))) >= step


def main():
    binaries, out = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(binaries, directory)
        cluster.worker("host1")
        succeeded = cluster.submit("schedule.steps=40")
        cluster.await_job(succeeded, "succeeds", in_state("SUCCEEDED"))
        failed = cluster.submit("schedule.steps=40", "data.path=examples/clothing/absent")
        cluster.await_job(failed, "fails", in_state("FAILED"))
        cancelled = cluster.submit("schedule.steps=100000")
        cluster.await_job(cancelled, "has a checkpoint", beyond(40))
        cluster.mimeo("cancel", cancelled)
        cluster.await_job(cancelled, "is cancelled", in_state("CANCELLED"))
        cluster.kill("coordinator")
        cluster.coordinator()  # what the log held is in tables now: the directory has both
        paused = cluster.submit("schedule.steps=600")
        cluster.await_job(paused, "has a checkpoint", beyond(40))
        cluster.mimeo("pause", paused)
        cluster.await_job(paused, "is paused", in_state("PAUSED"))
        cluster.worker("host2")
        running = cluster.submit("schedule.steps=600", "data.path=examples/clothing/train")
        cluster.submit("schedule.steps=20", "resources.num_ranks=4", "resources.max_restarts=3")
        cluster.await_job(running, "has a checkpoint", beyond(120))
        cluster.kill("coordinator")
        for worker in ("host1", "host2"):
            cluster.kill(worker)
        with tarfile.open(out, "w:xz") as tar:
            tar.add(directory + "/state", "state")
    print(os.path.getsize(out), "bytes")


if __name__ == "__main__":
    main()
