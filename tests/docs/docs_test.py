#!/usr/bin/env python3
"""Runs what the pages tell people to type, and compares what the pages show with what comes out.

  docs_test.py BINARY... [PAGE...]     from a folder with examples/ and recipes/; without a page, of all pages in and below it

tests/docs/pages.py says how a page marks its blocks. A page's blocks `sh run` run in one shell, in a folder of their own in which
examples/ and recipes/ are and in which later blocks find what earlier ones wrote. Every other command of ours is held against the
binaries' own command lines, and a recipe with its --set against the client's own checks.
"""
import functools
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import junit  # tests/junit.py
import pages

PAGE_SECONDS = 240
HELP_SECONDS = 60  # mostly it is there at once; a busy machine may have to read libtorch from its disk first
TIME = r"#\s?(?:ms|s|min|m|h|d|seconds?|minutes?|hours?)\b"


def normalized(line):
    """A line of output without what differs from run to run and from machine to machine."""
    line = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?", "TIME", line)
    line = re.sub(r"(?<![\w.#/])/[\w.+-]+(/[\w.+-]+)*/?", "PATH", line)
    line = re.sub(r"\[[#-]+\]", "BAR", line)
    line = re.sub(r"(?<![\w])[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?", "#", line)
    line = re.sub(rf"{TIME}(?:\s?{TIME})*", "TIME", line)
    return re.sub(r"\s+", " ", line).strip()


def matches(shown, printed):
    """Whether the lines that a page shows are those that were printed; `...` stands for whatever is there."""
    pattern = ""
    for line in shown:
        if line == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part) for part in line.split("...")) + r"\n"
    return re.fullmatch(pattern, "".join(line + "\n" for line in printed)) is not None


def compared(page, block, output, printed):
    shown = [normalized(line) for line in output.text.strip().split("\n")]
    came = [normalized(line) for line in printed.strip().split("\n")]
    if not matches(shown, came):
        missing = [line for line in shown if line != "..." and not any(matches([line], [other]) for other in came)]
        yield (f"{page.path}:{output.line}: this is not what the commands of line {block.line} print. "
               f"Lines that were not printed: {missing or 'none, but their order or number differs'}. Printed:\n{printed[-3000:]}")


def script_of(blocks, folder):
    """One shell script for the page: each block's output goes to a file of its own, and a block that ends otherwise than it should ends all."""
    script = "set -u\n"
    for number, block in enumerate(blocks):
        script += f"exec >{folder}/{number}.out 2>&1\nset -e\n"
        if block.exit_code:
            script += f"set +e\n(\n{pages.runnable(block)})\nended=$?; [ $ended = {block.exit_code} ] || exit 99\n"
        else:
            script += pages.runnable(block)
        script += f"\ntimes >{folder}/{number}.done\n"
    return script


def end_of(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def run_page(page, binaries, root):
    """Runs the page's blocks `sh run` and yields what is wrong."""
    blocks = [block for block in page.blocks if block.kind == "sh run"]
    with tempfile.TemporaryDirectory(prefix="docs_test_") as top:
        outputs, work = pathlib.Path(top, "outputs"), pathlib.Path(top, "work")
        outputs.mkdir()
        work.mkdir()
        for name in ("examples", "recipes"):
            (work / name).symlink_to(root / name)
        # Threads of OpenMP that wait give their core away; where they spin, a comparison of 14 s took five minutes on busy cores.
        environment = dict(os.environ, PATH=f"{binaries}:{os.environ['PATH']}", MIMEO_BIN_DIR=str(binaries), NO_COLOR="1", OMP_WAIT_POLICY="passive")
        environment.pop("MIMEO_SERVER", None)
        started = time.time()
        process = subprocess.Popen(["bash", "-c", script_of(blocks, outputs)], cwd=work, env=environment, stdin=subprocess.DEVNULL,
                                   start_new_session=True)
        try:
            process.wait(PAGE_SECONDS)
            ended = f"ended with {process.returncode}"
        except subprocess.TimeoutExpired:
            ended = f"took more than {PAGE_SECONDS} s"
        finally:
            end_of(process)
        began = started
        for number, block in enumerate(blocks):
            path = outputs / f"{number}.out"
            printed = path.read_text(errors="replace") if path.exists() else ""
            if not (outputs / f"{number}.done").exists():
                yield f"{page.path}:{block.line}: the commands {ended}; they printed:\n{printed[-3000:]}"
                return
            ended_at = (outputs / f"{number}.done").stat().st_mtime
            print(f"{ended_at - began:7.1f} s  {page.path}:{block.line}", flush=True)
            began = ended_at
            follows = page.blocks[page.blocks.index(block) + 1:][:1]
            if follows and follows[0].kind == "output":
                yield from compared(page, block, follows[0], printed)


class CommandLine:
    """The command line of one verb as its --help has it."""

    def __init__(self, text):
        usage = re.search(r"^Usage: (.*(?:\n +.*)*)", text, re.M)
        usage = usage.group(1).split() if usage else []
        self.verbs = []
        self.flags = {}       # --name -> whether a value follows
        self.choices = {}     # --name -> the values that it may have, where those are named; several may follow
        self.required = set()
        self.least, self.most = 0, 0  # words that belong to no flag
        for heading, lines in self._sections(text):
            if heading == "Options":
                for line in lines:
                    self._take_option(line)
            elif heading == "Arguments":
                for name in (line.split()[0] for line in lines):
                    self.least += name in usage or f"{name}..." in usage
                    self.most = 10 ** 6 if any(f"{name}..." in word for word in usage) else self.most + 1
            elif "COMMAND" in usage:
                self.verbs += [line.split()[0] for line in lines]

    @staticmethod
    def _sections(text):
        """(heading, entries): an entry begins two columns in, and what is further in goes on with it."""
        for heading, body in re.findall(r"^([A-Z][\w ]*):\n((?:  .*\n)+)", text + "\n", re.M):
            if not heading.startswith("Example"):
                yield heading, [" ".join(entry.split()) for entry in re.split(r"^  (?! )", body, flags=re.M) if entry.strip()]

    def _take_option(self, entry):
        found = re.match(r"((?:-\w|--[\w-]+)(?:, (?:-\w|--[\w-]+))*)( (?:TEXT|NUMBER))?(?= |$)", entry)
        if not found:
            return
        names, choices = found.group(1).split(", "), re.search(r"\(([\w-]+(?:, [\w-]+)+)\)", entry)
        for name in names:
            self.flags[name] = bool(found.group(2))
            self.choices[name] = choices.group(1).split(", ") if choices else []
        if "(required)" in entry:
            self.required.add(names[-1])


@functools.lru_cache(None)
def command_line(binaries, *words):
    shown = subprocess.run([str(pathlib.Path(binaries, words[0])), *words[1:], "--help"], capture_output=True, text=True, timeout=HELP_SECONDS)
    line = CommandLine(shown.stdout + shown.stderr)
    if words == ("worker",):
        line.verbs = re.search(r"^worker ([\w|]+)", shown.stdout + shown.stderr, re.M).group(1).split("|")
    return line


def parse_problems(words, binaries, whole):
    """What the binary would say against these words. `whole`: nothing was left out, as in a block; in prose much is."""
    path, rest = [pages.program(words)], list(words[1:])
    while command_line(binaries, *path).verbs and rest and not rest[0].startswith("-"):
        known, verbs = command_line(binaries, *path).verbs, rest.pop(0).split("|")
        for verb in verbs:
            if verb not in known:
                return [f"{' '.join(path)} has no {verb!r}; it has {', '.join(known)}"]
        path.append(verbs[0])
    line, top = command_line(binaries, *path), command_line(binaries, path[0])
    problems, seen, positional = [], set(), 0
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        if not word.startswith("-"):
            positional += 1
        elif name not in line.flags and name not in top.flags:
            problems.append(f"{' '.join(path)} has no {name}")
        else:
            seen.add(name)
            if line.flags.get(name, top.flags.get(name)) and not equals:
                if rest:
                    rest.pop(0)
                elif whole:
                    problems.append(f"{name} has no value")
                while rest and rest[0] in line.choices.get(name, []):
                    rest.pop(0)
    if whole and not line.verbs and not {"--help", "--version"} & seen:
        if not line.least <= positional <= line.most:
            problems.append(f"{' '.join(path)} takes {line.least} to {line.most} words beside its flags, and not {positional}")
        problems += [f"{' '.join(path)} needs {name}" for name in sorted(line.required - seen)]
    return problems


def recipe_problems(words, binaries, root):
    """A recipe with its settings, as the client checks it before it asks a coordinator: none listens, and exit code 3 says it got so far."""
    if pages.program(words) != "mimeo" or len(words) < 3 or words[1] not in ("run", "submit"):
        return []
    recipe = next((word for word in words[2:] if word.startswith("recipes/")), None)
    if recipe is None:
        return []
    settings = [["--set", words[at + 1]] for at, word in enumerate(words) if word == "--set"]
    settings += [["--set", f"data.path={words[at + 1]}"] for at, word in enumerate(words) if word == "--data"]
    if not any("data.path" in setting[1] for setting in settings) and "examples/" not in (root / recipe).read_text():
        settings.append(["--set", "data.path=photos"])
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # Nobody listens here as long as it is held.
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        asked = subprocess.run([str(binaries / "mimeo"), "submit", recipe, "--server", server, *sum(settings, [])], cwd=root,
                               capture_output=True, text=True, timeout=HELP_SECONDS)
    return [] if asked.returncode == 3 else [f"the recipe is refused: {asked.stderr.strip()}"]


def parse_page(page, binaries, root):
    for block, words in pages.block_commands(page):
        if pages.program(words):
            found = parse_problems(words, binaries, True)
            if block.kind != "sh run" and not found:
                found = recipe_problems(words, binaries, root)
            for problem in found:
                yield f"{page.path}:{block.line}: {problem}"
    for line, words in pages.inline_commands(page):
        for problem in parse_problems(words, binaries, False):
            yield f"{page.path}:{line}: `{' '.join(words)}`: {problem}"


def examples_in_help(binaries, root, *path):
    """The examples that a binary's --help shows, of each of its verbs, are held against the same command lines."""
    shown = subprocess.run([str(binaries / path[0]), *path[1:], "--help"], capture_output=True, text=True, timeout=HELP_SECONDS)
    text = shown.stdout + shown.stderr
    for example in re.findall(r"^\s*Examples?:\s*((?:.+\n?)+)", text, re.M):
        ours = "\n".join(line for line in example.split("\n") if line.split() and pages.program(line.split()))
        for words in pages.commands(pages.without_comments(ours)):
            if pages.program(words):
                for problem in parse_problems(words, binaries, True) or recipe_problems(words, binaries, root):
                    yield f"{' '.join(path)} --help: {' '.join(words)}: {problem}"
    for verb in command_line(binaries, *path).verbs:
        yield from examples_in_help(binaries, root, *path, verb)


class NotYet:
    """not_yet.txt: problems of command lines that pages describe before the programs have them. Each must still be one."""

    def __init__(self):
        self.path = pathlib.Path(__file__).absolute().parent / "not_yet.txt"
        lines = self.path.read_text().split("\n")
        self.left = {line for line in lines if line and not line.startswith("#")}
        self.met = set()

    def of(self, problems):
        for problem in problems:
            known = next((line for line in self.left if line in problem), None)
            if known is None:
                yield problem
            self.met.add(known)

    def stale(self):
        return [f"{self.path.name}: the programs have this now, or no page says it; delete the line: {line}" for line in sorted(self.left - self.met)]


def list_page(page):
    """Prints the commands that nothing runs here."""
    for block in page.blocks:
        if block.kind in ("sh gpu", "sh cluster"):
            for words in pages.commands(pages.without_comments(block.text)):
                print(f"{block.kind[3:]:8}{page.path}:{block.line}: {' '.join(words)}")


def checks_of(read, whole, binaries, root):
    checks, not_yet = {}, NotYet()
    for page in read:
        list_page(page)
        checks[f"{page.path}: blocks say what they are"] = functools.partial(pages.form_problems, page)
        checks[f"{page.path}: the command lines are known"] = lambda page=page: not_yet.of(parse_page(page, binaries, root))
        if any(block.kind == "sh run" for block in page.blocks):
            checks[f"{page.path}: the commands run and print what is shown"] = functools.partial(run_page, page, binaries, root)
    for name in pages.BINARIES:
        checks[f"{name}: the examples of --help"] = functools.partial(examples_in_help, binaries, root, name)
    if whole:
        checks["not_yet.txt"] = not_yet.stale
    return checks


def main():
    named = [path for path in sys.argv[1:] if path.endswith(".md")]
    read = [pages.Page(path) for path in sorted(named or (str(path) for path in pathlib.Path().rglob("*.md")))]
    with tempfile.TemporaryDirectory(prefix="docs_test_") as binaries:
        for path in sys.argv[1:]:
            if not path.endswith(".md"):
                pathlib.Path(binaries, pathlib.Path(path).name).symlink_to(pathlib.Path(path).resolve())
        checks = checks_of(read, not named, pathlib.Path(binaries), pathlib.Path.cwd())
        return 1 if junit.run("docs", checks, os.environ.get("XML_OUTPUT_FILE")) else 0


if __name__ == "__main__":
    sys.exit(main())
