#!/usr/bin/env python3
"""The one shape of our BUILD files: an attribute a line, in one order, lists sorted; what buildifier does, which Debian 12 lacks.

  build_shape.py [--check] FILE...     rewrites them, or names those that would change and exits 1

A call that holds a comment or anything but literals and glob() is left as it is written.
"""
import ast
import pathlib
import sys

FIRST = ["name", "testonly", "size", "timeout", "flaky", "srcs", "hdrs"]
LAST = ["shard_count", "tags", "visibility", "deps"]
SORTED = {"srcs", "hdrs", "data", "deps", "tools"}


def rank_of(keyword):
    name = keyword.arg
    if name in FIRST:
        return (0, FIRST.index(name), "")
    return (2, LAST.index(name), "") if name in LAST else (1, 0, name)


def label_order(label):
    return (not label.startswith(":"), label.startswith("@"), label.replace(":", "!"))


def is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def text_of(node, name=""):
    if is_text(node):
        return '"%s"' % node.value.replace("\\", "\\\\").replace('"', '\\"')
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.List) and all(is_text(item) for item in node.elts):
        items = [item.value for item in node.elts]
        if name in SORTED:
            items.sort(key=label_order)
        quoted = [text_of(ast.Constant(item)) for item in items]
        if len(quoted) < 2:
            return "[%s]" % "".join(quoted)
        return "[\n%s    ]" % "".join(f"        {item},\n" for item in quoted)
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values)
        return "{%s}" % ", ".join(f"{text_of(key)}: {text_of(value)}" for key, value in pairs)
    if isinstance(node, ast.Call) and node.func.id == "glob" and len(node.args) == 1 and not node.keywords:
        return "glob([%s])" % ", ".join(text_of(item) for item in node.args[0].elts)
    raise ValueError(ast.dump(node))


def shaped(call):
    if call.args:
        raise ValueError("positional")
    if len(call.keywords) == 1:
        only = call.keywords[0]
        line = f"{call.func.id}({only.arg} = {text_of(only.value, only.arg)})"
        if "\n" not in line:
            return line
    lines = [f"    {k.arg} = {text_of(k.value, k.arg)},\n" for k in sorted(call.keywords, key=rank_of)]
    return f"{call.func.id}(\n{''.join(lines)})"


def reshape(source):
    lines = source.split("\n")
    out, at = [], 0
    for statement in ast.parse(source).body:
        between = lines[at:statement.lineno - 1]
        written = lines[statement.lineno - 1:statement.end_lineno]
        at = statement.end_lineno
        out += between
        is_rule = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) and statement.value.func.id != "load"
        if is_rule and not any("#" in line for line in written):
            try:
                written = shaped(statement.value).split("\n")
            except ValueError:
                pass
            if len(written) > 1 and out and out[-1].strip() == ")":
                out.append("")
        out += written
    return "\n".join(out + lines[at:])


def main(arguments):
    check = "--check" in arguments
    changed = []
    for name in (a for a in arguments if a != "--check"):
        path = pathlib.Path(name)
        old = path.read_text()
        new = reshape(old)
        if new != old:
            changed.append(name)
            if not check:
                path.write_text(new)
    for name in changed:
        print(f"{name}: not in the shape of scripts/format" if check else f"{name}: reshaped")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
