#!/usr/bin/env python3
"""The rules of the house that a machine can check: sizes, sleeps, clocks, names, layers, links.

  tidy.py [JUNIT_XML]     from the repository's root; exits 1 when a rule is broken

Layers are read from Bazel's own graph, so this runs beside `bazel test`, not inside it (scripts/test does both).
"""
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent), str(pathlib.Path(__file__).resolve().parent.parent / "docs")]
import junit  # tests/junit.py
import pages  # tests/docs/pages.py

FUNCTION_LINES, FILE_LINES, DATA_BYTES = 70, 600, 32 << 20

# X may use Y (docs/architecture.md). Everybody may use base, base/rpc only where gRPC is allowed, and proto.
LAYERS = {
    "base": set(),
    "job": set(),
    "data": {"job"},
    "model": set(),
    "store": set(),
    "objective": {"model"},
    "teacher": {"data", "model", "objective", "job"},
    "evaluation": {"data", "model", "objective", "job", "teacher"},
    "client": {"job"},
    "coordinator": {"store", "job", "teacher"},
    "worker": {"data", "model", "objective", "job", "teacher", "evaluation"},
    "teacher_server": {"data", "model", "store", "job", "teacher"},
}


def tracked(*suffixes):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True)
    return [p for p in listed.stdout.split() if p.endswith(suffixes) and pathlib.Path(p).is_file()]


def sources():
    return [p for p in tracked(".h", ".cc") if not p.startswith("third_party/")]


def lines_of(path):
    return pathlib.Path(path).read_text(errors="replace").split("\n")


def is_test(path):
    return path.endswith("_test.cc") or path.startswith("tests/") or "/testing/" in path


def long_functions():
    start_of = re.compile(r"^(\s{0,2})[A-Za-z~].*[)a-z]\s*(const|override|noexcept)?.*\{\s*$")
    not_function = re.compile(r"^\s*(namespace|class|struct|enum|union|extern|if|for|while|switch|else|do|try|TEST|INSTANTIATE)\b")
    for path in sources():
        start, indent = None, 0
        for number, line in enumerate(lines_of(path), 1):
            if start is None and start_of.match(line) and not not_function.match(line):
                start, indent = number, len(line) - len(line.lstrip())
            elif start is not None and re.match(r"^ {%d}\}" % indent, line):
                if number - start + 1 > FUNCTION_LINES:
                    yield f"{path}:{start}: a function of {number - start + 1} lines; at most {FUNCTION_LINES}"
                start = None


def long_files():
    for path in sources():
        count = len(lines_of(path))
        if count > FILE_LINES:
            yield f"{path}: {count} lines; at most {FILE_LINES}"


def unformatted():
    found = subprocess.run(["scripts/format", "--check"], capture_output=True, text=True)
    if found.returncode != 0:
        lines = [line for line in (found.stderr + found.stdout).split("\n") if "error:" in line or "scripts/format" in line]
        yield f"{len(lines)} places are not as scripts/format writes them: {' | '.join(lines[:3]) or found.stderr[-300:]}"


def sleeping_tests():
    for path in filter(is_test, sources()):
        for number, line in enumerate(lines_of(path), 1):
            if re.search(r"\b(sleep_for|sleep_until|SleepFor|usleep|nanosleep|sleep)\s*\(", line):
                yield f"{path}:{number}: a test sleeps"


def unfinished():
    for path in sources() + tracked("BUILD", ".py", ".proto"):
        if path == "tests/tidy/tidy.py":
            continue
        for number, line in enumerate(lines_of(path), 1):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                yield f"{path}:{number}: {line.strip()[:80]}"


def foreign_clocks():
    for path in sources():
        if path == "base/real_clock.cc":
            continue
        for number, line in enumerate(lines_of(path), 1):
            if re.search(r"absl::Now\(|steady_clock|system_clock|gettimeofday|clock_gettime", line):
                yield f"{path}:{number}: time comes from base/clock.h"
            # absl's and std's waits with an end go by the wall clock, which somebody may set.
            if re.search(r"\b(SleepFor|sleep_for|sleep_until|usleep|nanosleep)\(", line):
                yield f"{path}:{number}: a wait is base/wait.h's"
            if not is_test(path) and re.search(r"\b(Await|Wait|LockWhen|WaitForNotification)With(Timeout|Deadline)\(|\bwait_(for|until)\(", line):
                yield f"{path}:{number}: a wait with an end is Clock::Await's"


def foreign_randomness():
    for path in sources():
        for number, line in enumerate(lines_of(path), 1):
            if re.search(r"\bstd::(mt19937|random_device|rand)\b|\bsrand\(|absl::BitGen|at::rand|torch::rand", line):
                if not is_test(path) and "benchmark" not in path:
                    yield f"{path}:{number}: randomness comes from base/random_key.h"


def foreign_internals():
    for path in sources():
        for number, line in enumerate(lines_of(path), 1):
            if re.search(r'#include "absl/.*\binternal/', line):
                yield f"{path}:{number}: an internal header of Abseil, which may go with any release"


def foreign_channels():
    for path in sources():
        if path.startswith("base/rpc/"):
            continue
        for number, line in enumerate(lines_of(path), 1):
            if re.search(r"\bCreate(Custom)?Channel\(|\b(Insecure|Ssl|Tls|Local)(Channel|Server)?Credentials\(|\bServerBuilder\b|\bAddListeningPort\(", line):
                yield f"{path}:{number}: channels and servers are opened by base/rpc, through ChannelOptions"


def banned_names():
    for path in sources():
        for number, line in enumerate(lines_of(path), 1):
            found = re.match(r"^(class|struct)\s+(\w*(Manager|Helper|Utils?|Handler))\b", line)
            if found:
                yield f"{path}:{number}: {found.group(2)} says nothing about what it is"


def bazel(*args):
    done = subprocess.run(["bazel", *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"bazel {' '.join(args)}: {done.stderr[-2000:]}")
    return done.stdout


def package(label):
    return label.split("//", 1)[1].split(":")[0]


def layer(label):
    return package(label).split("/")[0]


def production_rules():
    graph = ElementTree.fromstring(bazel("query", "--output=xml", "kind('cc_(library|binary) rule', //...)"))
    for rule in graph.iter("rule"):
        test_only = rule.find("boolean[@name='testonly']")
        if test_only is None or test_only.get("value") != "true":
            yield rule


def crossed_layers():
    for rule in production_rules():
        name = rule.get("name")
        if layer(name) not in LAYERS:
            continue
        for dependency in rule.iterfind("list[@name='deps']/label"):
            used = dependency.get("value")
            if used.startswith("@") or layer(used) not in LAYERS or layer(used) in (layer(name), "base"):
                continue
            if layer(used) not in LAYERS[layer(name)]:
                yield f"{name} uses {used}: {layer(name)} may use {sorted(LAYERS[layer(name)]) or 'base and proto only'}"


def wide_visibility():
    for rule in production_rules():
        name = rule.get("name")
        if layer(name) not in LAYERS or layer(name) == "base" or rule.get("class") == "cc_binary":
            continue
        for entry in rule.iterfind("list[@name='visibility']/label"):
            consumer = entry.get("value")
            if consumer == "//visibility:private" or consumer.startswith("//tests"):
                continue
            if consumer == "//visibility:public":
                yield f"{name} is public"
            elif layer(consumer) != layer(name) and layer(name) not in LAYERS.get(layer(consumer), set()):
                yield f"{name} is visible to {consumer}, which may not use it"


def forbidden_links():
    rules = [("//coordinator:coordinator + //client:mimeo + //worker/agent/...", "@libtorch//...", "torch"),
             ("deps(//store/...) + //job/...", "@libtorch//...", "torch")]
    for users, what, word in rules:
        found = bazel("query", f"deps({users}) intersect {what}").split()
        if found:
            yield f"{users} link {word}: {' '.join(found[:3])}"
    for users in ("//model", "//objective", "//data", "//job"):
        libraries = f"kind('cc_library rule', {users}/...) except attr(testonly, 1, {users}/...)"
        found = bazel("query", f"deps({libraries}) intersect (//third_party:grpc + //third_party:rocksdb)").split()
        if found:
            yield f"{users} links {' '.join(found)}"
    # What training and evaluation need from outside comes as ports (worker/training/ports.h, teacher/feature_source.h).
    for users in ("//worker/training", "//evaluation"):
        libraries = f"kind('cc_library rule', {users}/...) except attr(testonly, 1, {users}/...)"
        found = bazel("query", f"deps({libraries}) intersect (//third_party:grpc + //base/rpc/... + //worker/agent/... + //worker/rank/...)").split()
        if found:
            yield f"{users} links {' '.join(found[:3])}: it knows the network by its ports only"


def large_data():
    total = sum(pathlib.Path(p).stat().st_size for p in tracked() if p.startswith(("examples/", "tests/golden/")))
    if total > DATA_BYTES:
        yield f"examples and golden files are {total >> 20} MiB; at most {DATA_BYTES >> 20}"


def broken_links():
    for path in tracked(".md"):
        for target in re.findall(r"\]\(([^)#\s]+)", pathlib.Path(path).read_text()):
            if "://" not in target and not (pathlib.Path(path).parent / target).exists():
                yield f"{path}: links to {target}, which is not there"


def invariants_without_a_test():
    known = set()
    for path in tracked("_test.cc"):
        known.update(".".join(found) for found in re.findall(r"TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", pathlib.Path(path).read_text()))
    for number, line in enumerate(lines_of("docs/invariants.md"), 1):
        named = re.findall(r"`(\w+\.\w+)`", line)
        if re.match(r"\| \d+ \|", line) and not named:
            yield f"docs/invariants.md:{number}: the row names no test"
        for name in named:
            if name not in known:
                yield f"docs/invariants.md:{number}: no test is called {name}"


# The pages that lead through the tree name files of today's.
PAGES_OF_THE_TREE = ["architecture.md", "debugging.md", "glossary.md", "invariants.md", "life_of_a_job.md", "life_of_a_batch.md",
                     "life_of_a_feature.md"]


def stale_paths():
    folders = "|".join(sorted({path.split("/")[0] for path in tracked("BUILD") if "/" in path}))
    for page in PAGES_OF_THE_TREE:
        text = pathlib.Path("docs", page).read_text()
        for path in re.findall(rf"(?<![\w/.-])((?:{folders})/[\w/-]+\.(?:h|cc|py|proto|md))\b", text):
            if not pathlib.Path(path).exists():
                yield f"docs/{page}: there is no {path}"


def citation_of_another_version():
    version = pathlib.Path("VERSION").read_text().strip()
    for page in ("CITATION.cff", "README.md"):
        if not re.search(rf"version:? {re.escape(version)}\b", pathlib.Path(page).read_text()):
            yield f"{page}: does not cite version {version}"


# Pages that tests/docs runs and parses: here what needs no binary, of every page of the tree.
def untagged_blocks():
    for path in tracked(".md"):
        page = pages.Page(path)
        yield from pages.form_problems(page)
        yield from pages.tree_problems(page)


def pages_without_a_test():
    known = set(bazel("query", "deps(labels(data, //tests/docs:docs_test), 1)", "--output=label").split())
    for path in tracked(".md"):
        folders = [str(folder) for folder in pathlib.Path(path).parents if (folder / "BUILD").is_file()]
        package = "" if folders[0] == "." else folders[0]
        if f"//{package}:{pathlib.Path(path).relative_to(folders[0])}" not in known:
            yield f"{path}: //tests/docs:docs_test does not read it; name it in a BUILD file's `pages`"


# What is quoted at the head of an answer is a message that the program prints: `MESSAGE` in a heading of these pages.
PAGES_OF_MESSAGES = ["troubleshooting.md", "faq.md"]


def unknown_messages():
    # A literal may go over several lines; what stands between two literals is a number or a name, on the page `...`.
    said = "\n".join(re.sub(r'"\s*\n\s*"', "", pathlib.Path(path).read_text(errors="replace")).replace('\\"', '"')
                     for path in sources() if not is_test(path))
    for page in PAGES_OF_MESSAGES:
        for number, line in enumerate(lines_of(f"docs/{page}"), 1):
            for message in re.findall(r"`([^`]+)`", line) if line.startswith("## ") else []:
                for part in filter(None, (part.strip() for part in message.split("..."))):
                    if part not in said:
                        yield f"docs/{page}:{number}: no source says {part!r}"


# README: where a baseline differs from its authors' code, its recipe says so. A small recipe names the one it is like.
def silent_recipes():
    texts = {path: pathlib.Path(path).read_text() for path in tracked(".textproto") if path.startswith("recipes/")}
    for path, text in texts.items():
        likes = re.findall(r"recipes/\w+\.textproto", text)
        if not any("# Differs from the authors' code: " in texts.get(like, "") for like in [path, *likes]):
            yield f"{path}: no line says how it differs from the authors' code, and no recipe is named that says so"


RULES = [long_functions, long_files, unformatted, sleeping_tests, unfinished, foreign_clocks, foreign_randomness, foreign_internals,
         foreign_channels, banned_names,
         crossed_layers, wide_visibility, forbidden_links, large_data, broken_links, invariants_without_a_test,
         stale_paths, silent_recipes, untagged_blocks, pages_without_a_test, unknown_messages,
         citation_of_another_version]


if __name__ == "__main__":
    sys.exit(1 if junit.run("tidy", {rule.__name__: rule for rule in RULES}, *sys.argv[1:2]) else 0)
