#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Resolves what comments and documents name: paths, functions, the far end of each ordering label.

A path is a tracked file, whole, from its own folder, or by its last components; a program is its source.  A word in capitals
stands for any.  A function,
written with (), is an identifier that the code calls, declares or defines: the compiler holds the code to what there is.
"f() in spans.c": that file defines or declares f.  "[R2] ... pairs with ... in f()": the body of f, or the comment above it,
has the label [R2].

What does not live here: whether each label has two ends and a line in docs/memory-model.md (layering.sh).

Usage: ghosts.py [FOLDER].  Plants a ghost of each kind in a copy in memory first, and fails if one is not found.
"""
import fnmatch
import os
import re
import subprocess
import sys

ENDINGS = "c|h|cpp|hpp|pml|sh|py|md|txt|sed|cmake|json|in|abi"
PATH = re.compile(r"(?<![\w./$<{@%%~*+-])((?:[\w*.-]+/)*[\w*-]+(?:\.[\w*-]+)*\.(?:%s))(?![\w/*])" % ENDINGS)
FUNCTION = re.compile(r"(?<![\w.>:-])([A-Za-z_]\w*)\(\)")
LABEL = re.compile(r"\[([A-Z]{1,2}[0-9]{1,2})\]")
PLACEHOLDER = re.compile(r"(?<![A-Za-z0-9])[A-Z]+(?![A-Za-z0-9])")
# Functions, then the file that they are in.
PLACED = re.compile(
    r"((?:`?\w+\(\)`?(?:, | and | or |,? +))+)in +(?:the +)?`?((?:[\w.-]+/)+[\w.-]*\w|[\w-]+\.(?:c|h|pml|sh|py))(?!\w)"
)
PAIR = re.compile(r"((?:\[[A-Z]{1,2}[0-9]{1,2}\](?:,? and |, )?)+)(?:(?!\[[A-Z]{1,2}[0-9]|\*/).){0,400}?pairs with ((?:(?!\*/).){0,400}?)(?:\.\s|:\s|\*/|\n|$)")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SOURCE = (".c", ".h", ".cpp", ".hpp", ".pml")
SCRIPT = (".sh", ".py", ".cmake", "CMakeLists.txt")
# One pass over a C source: comments, strings and characters.
TOKENS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def read_tree(root):
    """Path: text, of each tracked or new text file."""
    names = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True)
    if names.returncode == 0:
        paths = names.stdout.decode().split("\0")[:-1]
    else:
        paths = [
            os.path.relpath(os.path.join(at, name), root)
            for at, folders, files in os.walk(root)
            for name in files
            if not re.search(r"(^|/)(\.git|build)(/|$)", os.path.relpath(at, root))
        ]
    tree = {}
    for path in paths:
        try:
            with open(os.path.join(root, path), encoding="utf-8") as file:
                tree[path] = file.read()
        except UnicodeDecodeError:
            tree[path] = ""
        except (FileNotFoundError, IsADirectoryError):
            continue
    return tree


def is_script(path, text):
    return path.endswith(SCRIPT) or text.startswith("#!")


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def split_source(text):
    """(comments, code), each with the other blanked, line for line."""
    comments, code, at = [], [], 0
    for token in TOKENS.finditer(text):
        plain = text[at : token.start()]
        is_comment = token.group().startswith(("/*", "//"))
        comments += [blank(plain), token.group() if is_comment else blank(token.group())]
        code += [plain, blank(token.group())]
        at = token.end()
    return "".join(comments) + blank(text[at:]), "".join(code) + text[at:]


def split_script(text):
    comments = [line if re.match(r"\s*#", line) else "" for line in text.split("\n")]
    code = ["" if re.match(r"\s*#", line) else line for line in text.split("\n")]
    return "\n".join(comments), "\n".join(code)


def split_document(text):
    """(prose, examples): blocks that are fenced or indented are examples."""
    prose, examples, fenced = [], [], False
    for line in text.split("\n"):
        fence = line.lstrip().startswith("```")
        fenced ^= fence
        example = fenced or fence or line.startswith("    ")
        prose.append("" if example else line)
        examples.append(line if example else "")
    return "\n".join(prose), "\n".join(examples)


class Tree:
    def __init__(self, files):
        self.files = files
        self.folders = {os.path.dirname(path) for path in files}
        for folder in list(self.folders):
            while folder:
                folder = os.path.dirname(folder)
                self.folders.add(folder)
        self.tops = sorted({path.split("/")[0] for path in files if "/" in path} - {""})
        self.comments, self.code, self.examples = {}, {}, {}
        for path, text in files.items():
            if path.endswith(SOURCE):
                self.comments[path], self.code[path] = split_source(text)
            elif is_script(path, text):
                self.comments[path], self.code[path] = split_script(text)
            elif path.endswith(".md"):
                self.comments[path], self.examples[path] = split_document(text)
        self.words, self.system_headers, self.columns_0 = set(), set(), {}
        for path, text in self.code.items():
            if path.endswith(SOURCE):
                self.words.update(re.findall(r"\b([A-Za-z_]\w*)\s*\(", text))
                self.words.update(re.findall(r"#\s*define\s+(\w+)", text))
                self.system_headers.update(re.findall(r"#\s*include\s*<([^>]+)>", text))
                begun = "\n".join(line for line in text.split("\n") if line[:1] not in " \t}")
                self.columns_0[path] = set(re.findall(r"\b([A-Za-z_]\w*)\(", begun))
            else:
                self.words.update(re.findall(r"^\s*(?:def |function )?([A-Za-z_]\w*)\(", text, re.M))
        self.by_last, self.known_bodies = {}, {}
        for path in list(files) + sorted(self.folders):
            self.by_last.setdefault(os.path.basename(path), []).append(path)

    def find(self, name, here):
        """The files and folders of that name, as written in the file `here`."""
        name = name.rstrip("/")
        for at in (name, os.path.normpath(os.path.join(os.path.dirname(here), name))):
            if at in self.files or at in self.folders:
                return [at]
        found = [path for path in self.by_last.get(os.path.basename(name), []) if path.endswith("/" + name)]
        if not found and os.path.basename(name) and "." not in os.path.basename(name):
            return [path for path in (name + ".c", name + ".cpp") if path in self.files]
        if not found and not name.endswith(".md"):
            found = self.matching(name)
        return found

    def matching(self, name):
        pattern = PLACEHOLDER.sub("*", name)
        if "*" not in pattern:
            return []
        return [
            path
            for path in list(self.files) + sorted(self.folders)
            if fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, "*/" + pattern)
        ]

    def has(self, name, here):
        return name in self.system_headers or self.find(name, here) != []

    def has_function(self, name):
        if name in self.words:
            return True
        pattern = PLACEHOLDER.sub(r"\\w+", name)
        return pattern != name and any(re.fullmatch(pattern, word) for word in self.words)

    def defines(self, paths, function):
        """Whether a file of these, or of these folders, defines or declares it."""
        return any(
            function in names and any(path == one or path.startswith(one + "/") for one in paths)
            for path, names in self.columns_0.items()
        )

    def bodies(self, function):
        if function not in self.known_bodies:
            self.known_bodies[function] = list(self.read_bodies(function))
        return self.known_bodies[function]

    def read_bodies(self, function):
        """The text of each definition, with the comment above it."""
        start = re.compile(r"^(?![ \t#/*}]).*\b%s\(" % re.escape(function))
        for path, code in self.code.items():
            if not path.endswith(SOURCE) or function + "(" not in code:
                continue
            lines, whole = code.split("\n"), self.files[path].split("\n")
            for first, line in enumerate(lines):
                if not (start.match(line) or re.match(r"#\s*define\s+%s\(" % re.escape(function), line)):
                    continue
                last = first
                if line.startswith("#"):
                    while whole[last].endswith("\\"):
                        last += 1
                else:
                    while last < len(lines) and not re.search(r"[;{]\s*$", lines[last]):
                        last += 1
                    if last == len(lines) or lines[last].rstrip().endswith(";"):
                        continue
                    while last < len(lines) - 1 and not re.match(r"\}|.*\{.*\}\s*$", lines[last]):
                        last += 1
                above = first
                while above > 0 and re.match(r"\s*(/\*|\*)", whole[above - 1]):
                    above -= 1
                yield "\n".join(whole[above : last + 1])


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def joined(comment):
    """One line, without the marks at the beginning of lines; as long as it was."""
    return re.sub(r"\n[ \t]*(?:\*(?!/)|#|//)?", lambda mark: " " * len(mark.group()), comment)


def check(files):
    tree, found = Tree(files), set()
    folder = re.compile(r"(?<![\w./$<{@%%~*+-])((?:%s)/[\w./*-]*[\w*/])(?![\w(])" % "|".join(map(re.escape, tree.tops)))

    def ghost(path, text, at, kind, what):
        found.add((path, line_of(text, at), kind, what))

    def check_paths(path, text, patterns):
        for pattern in patterns:
            for match in pattern.finditer(text):
                if "://" in text[max(0, match.start() - 60) : match.start()].split(" ")[-1]:
                    continue
                if not tree.has(match.group(1), path):
                    ghost(path, text, match.start(), "path", match.group(1))

    for path, text in tree.comments.items():
        check_paths(path, text, (PATH, folder))
        for match in FUNCTION.finditer(text):
            if not tree.has_function(match.group(1)):
                ghost(path, text, match.start(), "function", match.group(1) + "()")
        flat = joined(text)
        for match in PLACED.finditer(flat):
            where = tree.find(match.group(2), path)
            for function in FUNCTION.findall(match.group(1)):
                if where and tree.has_function(function) and not tree.defines(where, function):
                    ghost(path, text, match.start(), "function", "%s() in %s" % (function, match.group(2)))
        if path.endswith(".md"):
            for match in LINK.finditer(text):
                if "://" not in match.group(1) and not tree.has(match.group(1), path):
                    ghost(path, text, match.start(), "link", match.group(1))
        elif path.endswith(SOURCE):
            for match in PAIR.finditer(flat):
                labels, functions = LABEL.findall(match.group(1)), FUNCTION.findall(match.group(2))
                for function in functions:
                    bodies = tree.bodies(function)
                    if not any("[%s]" % label in body for label in labels for body in bodies):
                        ghost(path, text, match.start(), "label", "[%s] in %s()" % (labels[0], function))
    for path, text in tree.examples.items():
        check_paths(path, text, (folder,))
    return found


# One of each kind, for a file of that folder and ending.
PLANTED = (
    ("client/", ".c", "/* As in ghost_N.c. */", "path"),
    ("shm/", ".h", "/* See ghost_N.h. */", "path"),
    ("shm/", ".h", "/* Counts as client/ghost_N does. */", "path"),
    ("daemon/", ".c", "/* Checked by: tests/unit/test_ghost_N.c */", "path"),
    ("tests/model/", ".pml", "/* The loop of ghost_N(). */", "function"),
    ("tests/model/", ".pml", "/* main() in shm/ring.h */", "function"),
    ("ctl/", ".h", "/* Is called by ghost_N(). */", "function"),
    ("tests/", ".sh", "# What ghost_N.sh leaves.", "path"),
    ("docs/", ".md", "The drain is in `ghost_N.c`.", "path"),
    ("docs/", ".md", "It calls `ghost_N()`.", "function"),
    ("docs/", ".md", "`ring_publish()` and `ring_head()` in `spans.c`.", "function"),
    ("docs/", ".md", "More in [there](ghost-N).", "link"),
    ("README", ".md", "See docs/ghost_N/first.md.", "path"),
    ("shm/", ".h", "/* [R1] release, pairs with the acquire in\n * main(). */", "label"),
)


def self_test(files):
    """How many planted ghosts are not found."""
    copy, planted, bad = dict(files), [], 0
    for number, (folder, ending, text, kind) in enumerate(PLANTED):
        path = min(path for path in files if path.startswith(folder) and path.endswith(ending))
        copy[path] += "\n"
        planted.append((path, line_of(copy[path], len(copy[path])), kind))
        copy[path] += text.replace("N", str(number)) + "\n"
    found = {one[:3] for one in check(copy)}
    for at in set(planted) - found:
        print("ghosts: a planted ghost was not found: %s:%d, %s" % at)
        bad += 1
    return bad


def main():
    files = read_tree(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    found = sorted(check(files))
    for path, line, kind, what in found:
        print("ghosts: %s:%d: there is no such %s: %s" % (path, line, kind, what))
    bad = len(found) + self_test(files)
    if not bad:
        print("ghosts: ok")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
