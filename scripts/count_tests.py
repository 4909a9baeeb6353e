#!/usr/bin/env python3
"""Counts test cases in Bazel's test.xml files and prints 'N passed, N failed'; exits 1 when any failed.

  count_tests.py TESTLOGS BAZEL_STATUS

A skipped case counts as failed, unless its name or suite contains 'Gpu'. A test binary that died before it wrote its
cases, and a build that failed, count as one failure each.
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def count(path):
    passed, failed = 0, []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name', '')}"
        skipped = case.find("skipped") is not None or case.get("result") in ("skipped", "suppressed")
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif skipped and "Gpu" not in name:
            failed.append(name + " (skipped)")
        elif not skipped:
            passed += 1
    return passed, failed


def main():
    logs, status = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    passed, failed = 0, []
    for path in sorted(logs.resolve().rglob("test.xml")) if logs.exists() else []:
        try:
            more_passed, more_failed = count(path)
        except ElementTree.ParseError as error:
            more_passed, more_failed = 0, [f"{path}: unreadable ({error})"]
        passed += more_passed
        failed += more_failed
    if status != 0 and not failed:
        failed.append(f"bazel exited with status {status}: see above")
    if passed + len(failed) == 0:
        failed.append("no test was run")
    for name in failed:
        print(f"FAILED {name}")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
