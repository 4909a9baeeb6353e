"""Checks that do not run inside Bazel, with their outcome as a JUnit file, which scripts/count_tests.py counts with Bazel's."""
import pathlib
import subprocess
import xml.etree.ElementTree as ElementTree


def run(suite_name, checks, xml_path=None):
    """Runs `checks` (name -> function that gives problems, or raises one), prints what they find, and gives the number of those that found any."""
    suite = ElementTree.Element("testsuite", name=suite_name)
    broken = 0
    for name, check in checks.items():
        case = ElementTree.SubElement(suite, "testcase", classname=suite_name, name=name)
        try:
            problems = list(check() or [])
        except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as error:
            problems = [str(error)]
        broken += bool(problems)
        if problems:
            ElementTree.SubElement(case, "failure", message="\n".join(problems))
            print(f"{suite_name}: {name}\n  " + "\n  ".join(problems))
    if xml_path:
        pathlib.Path(xml_path).parent.mkdir(parents=True, exist_ok=True)
        ElementTree.ElementTree(suite).write(xml_path)
    print(f"{suite_name}: {len(checks) - broken} hold, {broken} broken")
    return broken
