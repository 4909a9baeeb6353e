"""Reads Markdown pages: their blocks, what each block is, and what a machine can say of it without running it.

Each fenced block says what it is behind its opening fence:

  sh run         commands that tests/docs/docs_test.py runs as they stand, one page in one shell
  sh gpu         commands that need a GPU
  sh cluster     commands that need several hosts, a build tree, the network or hours
  output         what the `sh run` block before it prints; numbers, times and absolute paths may differ, a line `...` stands for
                 any number of lines, and `...` in a line for any text
  python cluster a program in Python, which is compiled only
  text, textproto, json, yaml   no commands

A comment before a `sh run` block makes it smaller or lets it fail:

  <!-- run with: schedule.epochs=20 -> schedule.steps=4 -->
  <!-- run ends with: 2 -->
"""
import pathlib
import re
import shlex
import subprocess

COMMANDS = ("sh run", "sh gpu", "sh cluster")
LISTINGS = ("text", "textproto", "json", "yaml")
KINDS = COMMANDS + LISTINGS + ("output", "python cluster")
BINARIES = ("mimeo", "coordinator", "worker", "teacher_server")


class Block:
    """A fenced block: its kind, its text without the fence's indent, and the line (from 1) of its opening fence."""

    def __init__(self, kind, line):
        self.kind = kind
        self.line = line
        self.text = ""
        self.changes = []  # (words on the page, words that the test runs in their place)
        self.exit_code = 0


class Page:
    """The blocks of one page, in order; its prose without them; and what is wrong with its form."""

    def __init__(self, path, text=None):
        self.path = str(path)
        self.blocks = []
        self.prose = []     # (line number, text)
        self.problems = []
        self._comments = []
        self._read((pathlib.Path(path).read_text() if text is None else text).split("\n"))

    def _problem(self, line, what):
        self.problems.append(f"{self.path}:{line}: {what}")

    def _read(self, lines):
        fence, block, list_indents, blank_before = None, None, [], True
        for number, line in enumerate(lines, 1):
            indent = len(line) - len(line.lstrip())
            opening = re.match(r"\s*(`{3,}|~{3,})(.*)$", line)
            if block is not None:
                if opening and opening.group(1).startswith(fence) and not opening.group(2).strip():
                    block = None
                else:
                    block.text += line[min(indent, fence_indent):] + "\n"
                continue
            if opening:
                fence, fence_indent = opening.group(1), indent
                block = self._open_block(opening.group(2).strip(), number)
                continue
            if line.strip():
                while list_indents and indent < list_indents[-1]:
                    list_indents.pop()
                if blank_before and indent >= (list_indents[-1] if list_indents else 0) + 4:
                    self._problem(number, "an indented block: write it between fences, with what it is")
                item = re.match(r"(\s*(?:[-*+]|\d+[.)])\s+)\S", line)
                if item:
                    list_indents.append(len(item.group(1)))
                self._read_comment(line)
                self.prose.append((number, line))
            blank_before = not line.strip()
        if block is not None:
            self._problem(block.line, "the block has no end")
        for unused in self._comments:
            self._problem(len(lines), f"no block of commands follows '{unused[0]}: {unused[1]}'")

    def _open_block(self, kind, line):
        block = Block(kind, line)
        if kind not in KINDS:
            self._problem(line, f"a block is called {kind!r}; it is one of: {', '.join(KINDS)}")
        if kind == "output" and (not self.blocks or self.blocks[-1].kind != "sh run"):
            self._problem(line, "an output follows a block `sh run`; what no test compares is called `text`")
        if kind == "sh run":
            for what, value in self._comments:
                if what == "run ends with":
                    block.exit_code = int(value)
                else:
                    block.changes.append([words.strip() for words in value.split("->", 1)])
            self._comments = []
        self.blocks.append(block)
        return block

    def _read_comment(self, line):
        found = re.match(r"\s*<!--\s*(run\b[^:]*):\s*(.*?)\s*-->\s*$", line)
        if found:
            self._comments.append(found.groups())


def runnable(block):
    """The text of a `sh run` block with its changes made; raises where a change does not apply."""
    text = block.text
    for change in block.changes:
        if len(change) != 2 or change[0] not in text:
            raise RuntimeError(f"line {block.line}: 'run with: {' -> '.join(change)}' changes nothing in the block")
        text = text.replace(*change)
    return text


def commands(text):
    """The simple commands of a shell text, as lists of words; assignments before a command and redirections are left out."""
    lexer = shlex.shlex(text.replace("\\\n", " ").replace("\n", " ; "), posix=True, punctuation_chars=";|&<>()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    found, words, skip = [], [], False
    for word in list(lexer) + [";"]:
        if re.fullmatch(r"[;|&()]+", word):
            if words:
                found.append(words)
            words = []
        elif re.fullmatch(r"[<>&]+", word):
            if words and re.fullmatch(r"\d", words[-1]):
                words.pop()  # The 2 of `2>`.
            skip = True
        elif skip:
            skip = False
        elif not words and re.match(r"[A-Za-z_]\w*=", word):
            pass
        else:
            words.append(word)
    return found


def without_comments(text):
    return "\n".join(re.sub(r"(^|\s)#.*$", "", line) for line in text.split("\n"))


def block_commands(page):
    """(block, words) of each command in the page's blocks of commands."""
    for block in page.blocks:
        if block.kind in COMMANDS:
            for words in commands(without_comments(block.text)):
                yield block, words


def inline_commands(page):
    """(line, words) of each command of ours that stands in the prose between backticks; such a one may be shortened."""
    for number, line in page.prose:
        for code in re.findall(r"`([^`]+)`", line):
            words = re.sub(r"[\[\]]", " ", code).replace("...", " ").split()
            while words and re.match(r"[A-Z_]+=", words[0]):
                words = words[1:]
            if len(words) > 1 and program(words) and not words[1].startswith("("):
                yield number, words


def program(words):
    """The name of the binary of ours that is called, by its name or below bazel-bin; None where it is another's."""
    name = words[0].rsplit("/", 1)[-1]
    if name in BINARIES and (words[0] == name or words[0].startswith(("bazel-bin/", "$"))):
        return name
    return None


def hidden_commands(page):
    """Blocks that say they hold no command, and do."""
    ours = re.compile(r"\s*(?:\$ )?(?:bazel-bin/\S+|mimeo (?:--)?[a-z]|(?:coordinator|worker|teacher_server) --|worker [a-z]+ --"
                      r"|scripts/\w|bazel (?:build|test|run))")
    for block in page.blocks:
        if block.kind in LISTINGS:
            for offset, line in enumerate(block.text.split("\n"), 1):
                if ours.match(line):
                    yield f"{page.path}:{block.line + offset}: a command in a block `{block.kind}`: {line.strip()[:60]}"


def syntax_problems(page):
    for block in page.blocks:
        if block.kind in COMMANDS:
            checked = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
            if checked.returncode != 0:
                yield f"{page.path}:{block.line}: {checked.stderr.strip()}"
        elif block.kind == "python cluster":
            try:
                compile(block.text, page.path, "exec")
            except SyntaxError as error:
                yield f"{page.path}:{block.line}: {error}"


def form_problems(page):
    """What is wrong with the page's blocks, without looking at any other file."""
    yield from page.problems
    yield from hidden_commands(page)
    yield from syntax_problems(page)


def label_exists(label):
    package, _, name = label[2:].partition(":")
    build = pathlib.Path(package, "BUILD")
    if package.endswith("...") or "..." in name:
        return pathlib.Path(package.replace("...", "")).is_dir()
    return build.is_file() and f'"{name or package.rsplit("/", 1)[-1]}"' in build.read_text()


def tree_problems(page):
    """Commands that name a script, a flag of one, a target or a recipe that is not in the tree (from the repository's root)."""
    for line, text in page.prose:
        for path in re.findall(r"`[^`]*?(?<![\w/])(recipes/\w+\.textproto|scripts/\w+(?:\.py)?)[^`]*`", text):
            if not pathlib.Path(path).is_file():
                yield f"{page.path}:{line}: there is no {path}"
    for block, words in block_commands(page):
        line = block.line
        if words[0].startswith("scripts/"):
            if not pathlib.Path(words[0]).is_file():
                yield f"{page.path}:{line}: there is no {words[0]}"
                continue
            text = pathlib.Path(words[0]).read_text()
            for flag in (word.split("=")[0] for word in words[1:] if word.startswith("--")):
                if flag not in text and flag[2:].replace("-", "_") not in text:
                    yield f"{page.path}:{line}: {words[0]} has no {flag}"
        if words[0] == "bazel":
            for label in (word for word in words[1:] if word.startswith("//")):
                if not label_exists(label):
                    yield f"{page.path}:{line}: there is no target {label}"
        for word in words:
            path = re.sub(r"^.*?((?:recipes|tests)/[\w/]+\.textproto)$", r"\1", word)
            if path.endswith(".textproto") and path.startswith(("recipes/", "tests/")) and not pathlib.Path(path).is_file():
                yield f"{page.path}:{line}: there is no {path}"
