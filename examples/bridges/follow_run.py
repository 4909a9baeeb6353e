"""The numbers of a run of Mimeo, also while it lasts: what the bridges beside this file read. Standard library only."""
import json
import pathlib
import time


def _whole_lines(path):
    """The lines that are whole: a run may be writing the last one."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]


def _is_over(out):
    """The report is written last, after the numbers."""
    report, metrics = out / "report.html", out / "metrics.jsonl"
    return report.exists() and metrics.exists() and report.stat().st_mtime >= metrics.stat().st_mtime


def rows(out, follow=False, period=2.0):
    """Yields (step, seconds since 1970 or None, {name: number}) in the order in which they come, each once: training by the names of
    metrics.jsonl, evaluations as evaluation/NAME. With follow, goes on until the run is over. A step that a restarted run does again is
    not told again."""
    out = pathlib.Path(out)
    told = {"metrics.jsonl": -1, "evaluations.jsonl": -1}
    while True:
        over = _is_over(out)  # before the reading: what was written until then is read
        for name in told:
            for numbers in _whole_lines(out / name):
                step, seconds = numbers.pop("step"), numbers.pop("time", None)
                if step > told[name]:
                    told[name] = step
                    prefix = "evaluation/" if name == "evaluations.jsonl" else ""
                    yield step, seconds, {prefix + key: value for key, value in numbers.items() if value is not None}
        if not follow or over:
            return
        time.sleep(period)
