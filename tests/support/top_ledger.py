#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares a screen of top with the ledgers of programs/span_ledger.c.

usage: top_ledger.py VIEW LEDGER... <SCREENS
       top_ledger.py moving BEFORE AFTER OTHER... <SCREENS

SCREENS are the pages of one view, each after a line "=== "; pages may overlap.  Prints each cell that is wrong; exit status 1
then.  Views: list, units, names, tree, processes, process:PID, details:SPAN:PID, details:SPAN (over all processes),
outside:THREAD:PID.

A number on the screen stands for all values that round to it.  What is expected is a range too: of one value where the
program's own blocks are all that is counted there, else with room for what libraries allocate beside them.
"""
import re
import sys

LIBRARIES = 64 << 10  # bytes that libraries allocate, at most; never within a span of the ledger
RESIDENT = 64 << 20  # of a process beside its heap
CALL = 4000  # bytes that a call of the ledger's spin has at most, until it frees them
errors = []


def wrong(text):
    errors.append(text)


# ------------------------------------------------------------------------------------------------------ ledgers


class Sums:
    def __init__(self, count=0, size=0, frees=0, freed=0, self_count=0, self_size=0):
        self.count, self.size, self.frees, self.freed = count, size, frees, freed
        self.self_count, self.self_size = self_count, self_size
        self.opened = self.closed = 0
        self.calls = []  # bytes, net, how many

    def add(self, other):
        for name in ("count", "size", "frees", "freed", "self_count", "self_size", "opened", "closed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.calls = self.calls + other.calls
        return self

    @property
    def net(self):
        return self.size - self.freed

    @property
    def calls_net(self):
        return sum(net * n for _, net, n in self.calls)


class Ledger:
    def __init__(self, file):
        self.outside, self.paths = {}, {}
        for line in open(file):
            kind, *words = line.split()
            if kind == "process":
                self.pid, self.threads = map(int, words)
            elif kind == "heap":
                self.now, self.peak, self.all = map(int, words)
            elif kind == "outside":
                self.outside[words[0]] = Sums(*map(int, words[1:]))
            elif kind == "path":
                opened, closed, *sums = map(int, words[1:])
                self.paths[words[0]] = Sums(*sums)
                self.paths[words[0]].opened, self.paths[words[0]].closed = opened, closed
            elif kind == "call":
                self.paths[words[0]].calls.append(tuple(map(int, words[1:])))

    def name(self):
        return f"span_ledger[{self.pid}]"

    def names(self):
        result = {}
        for path, sums in self.paths.items():
            result.setdefault(path.split("/")[-1], Sums()).add(sums)
        return result


# ------------------------------------------------------------------------------------------------------ numbers


def scaled(value, base, suffixes):
    divisor = base
    for i, suffix in enumerate(suffixes):
        tenths = (value * 10 + divisor // 2) // divisor
        if tenths < 10 * base or i == len(suffixes) - 1:
            return f"{tenths // 10}.{tenths % 10}{suffix}"
        divisor *= base


def as_bytes(value):
    return scaled(value, 1024, "KMGTPE") if value >= 1024 else f"{value}B"


def as_net(value):
    return ("-" if value < 0 else "+" if value > 0 else "") + as_bytes(abs(value))


def as_count(value):
    return scaled(value, 1000, "kMGTPE") if value >= 10000 else str(value)


def values_of(text):
    """The least and the greatest value that the text may stand for."""
    match = re.fullmatch(r"([+-]?)([0-9]+)(?:\.([0-9])([kKMGTPE])|B?)", text)
    if not match:
        return None
    sign, whole, tenth, suffix = match.groups()
    if not suffix:
        value = int(whole)
        low = high = value
    else:
        base, power = (1000, " kMGTPE".index(suffix)) if suffix == "k" else (1024, " KMGTPE".index(suffix))
        unit = base**power
        value = int(whole) * unit + int(tenth) * unit // 10
        low, high = value - unit // 20 - 1, value + unit // 20 + 1
    return (-high, -low) if sign == "-" else (low, high)


def check(where, text, expected):
    """`expected`: a text, or the least and the greatest value."""
    if isinstance(expected, str):
        if text != expected:
            wrong(f"{where} is {text}, should be {expected}")
        return
    values = values_of(text)
    if not values or values[1] < expected[0] or values[0] > expected[1]:
        wrong(f"{where} is {text}, should be from {expected[0]} to {expected[1]}")


# -------------------------------------------------------------------------------------------------------- pages


def pages():
    result = []
    for line in sys.stdin.read().split("\n"):
        if line.startswith("=== "):
            result.append([])
        elif result:
            result[-1].append(line.rstrip())
    for page in result:
        while page and not page[-1]:
            page.pop()
    return result


def merged(parts):
    """Lines of pages one after another, where each may begin with lines of the one before."""
    lines = []
    for part in parts:
        overlap = min(len(lines), len(part))
        while overlap and lines[-overlap:] != part[:overlap]:
            overlap -= 1
        lines += part[overlap:]
    return lines


def table(all_pages, is_heading):
    """The words of the heading, and the lines below it; the last line of a page is no row."""
    heading, parts = None, []
    for page in all_pages:
        at = next((i for i, line in enumerate(page) if is_heading(line)), None)
        if at is None:
            wrong("a page has no heading: " + " | ".join(page[:4]))
            continue
        heading = page[at].split()
        parts.append([line for line in page[at + 1 : -1] if line])
    return heading, merged(parts)


# --------------------------------------------------------------------------------------------------------- rows


def p99_of(calls):
    """From the largest of 98 of 100 to the largest, with the error that docs/semantics.md gives a percentile."""
    total, seen, low = sum(n for *_, n in calls), 0, None
    for size, _, n in sorted(calls):
        seen += n
        if low is None and seen * 100 >= total * 98:
            low = size
    high = max(size for size, *_ in calls)
    return low - low // 32, high


def cells_of(sums, outside, idle=True):
    """What each column is to show."""
    slack = LIBRARIES if outside else 0
    cells = {
        "ALLOC": (sums.size, sums.size + slack) if slack else as_bytes(sums.size),
        "NET": (sums.net, sums.net + slack) if slack else as_net(sums.net),
        "OPEN": "-" if outside else as_count(sums.opened - sums.closed),
        "P99/CALL": "-",
        "NET/CALL": "-",
        "CALLS/s": "-" if outside else "0",
    }
    if idle:
        cells |= {"ALLOC/s": "0B", "BLOCKS/s": "0", "NET/s": "0B"}
    if sums.calls:
        low, high = p99_of(sums.calls)
        cells["P99/CALL"] = as_bytes(low) if low == high else (low, high)
        cells["NET/CALL"] = as_net(int(sums.calls_net / sums.closed))
    return cells


def check_rows(heading, lines, rows):
    """`rows`: of each name the cells that it is to have; each has to be there, and no other of these programs."""
    names = [word for word in heading if word in ("UNIT", "PROCESS", "SPAN")]
    columns = heading[len(names) :]
    found = {}
    for line in lines:
        *name, = line.split()
        cells = name[-len(columns) :]
        found[" ".join(name[: -len(columns)])] = cells
    for name, cells in rows.items():
        if name not in found:
            wrong(f"there is no row {name}")
            continue
        for column, text in zip(columns, found[name]):
            if column not in cells:
                wrong(f"nothing is known of the column {column}")
            else:
                check(f"{column} of {name}", text, cells[column])
    for name in found.keys() - rows.keys():
        wrong(f"there is a row {name}")


def row_name(heading, unit, process, span):
    parts = {"UNIT": unit, "PROCESS": process, "SPAN": span}
    return " ".join(parts[word] for word in heading if word in parts)


def outside_name(thread, short):
    return "(outside)" if short and thread == "span_ledger" else f"(outside) {thread}"


def is_list(line):
    return re.match(r"(UNIT |PROCESS )*SPAN ", re.sub(" +", " ", line)) is not None


def rows_outside(heading, ledger):
    return {
        row_name(heading, "-", ledger.name(), outside_name(thread, True)): cells_of(sums, True)
        for thread, sums in ledger.outside.items()
    }


def rows_of(heading, ledgers):
    """The rows of processes that stand still."""
    rows = {}
    for ledger in ledgers:
        for name, sums in ledger.names().items():
            rows[row_name(heading, "-", ledger.name(), name)] = cells_of(sums, False)
        rows |= rows_outside(heading, ledger)
    return rows


def view_list(ledgers, all_pages):
    heading, lines = table(all_pages, is_list)
    rows = rows_of(heading, ledgers)
    check_rows(heading, lines, rows)
    check_header(ledgers, all_pages)


def view_sums(ledgers, all_pages):
    heading, lines = table(all_pages, is_list)
    sums, outside, rows = {}, {}, {}
    many = f"{len(ledgers)} processes"
    for ledger in ledgers:
        for name, one in ledger.names().items():
            sums.setdefault(name, Sums()).add(one)
        for thread, one in ledger.outside.items():
            outside.setdefault(thread, Sums()).add(one)
    for name, one in sums.items():
        rows[row_name(heading, "-", many, name)] = cells_of(one, False)
        # A percentile of a sum is the largest of its processes.
        if one.calls:
            each = [p99_of(ledger.names()[name].calls) for ledger in ledgers]
            low, high = max(p[0] for p in each), max(p[1] for p in each)
            rows[row_name(heading, "-", many, name)]["P99/CALL"] = as_bytes(low) if low == high else (low, high)
    for thread, one in outside.items():
        cells = cells_of(one, True)
        for column in ("ALLOC", "NET"):
            cells[column] = (cells[column][0], cells[column][1] + len(ledgers) * LIBRARIES)
        rows[row_name(heading, "-", many, outside_name(thread, False))] = cells
    check_rows(heading, lines, rows)


def tops(ledger):
    """The spans of a process that are in no other."""
    return [sums for path, sums in ledger.paths.items() if "/" not in path]


def group_cells(ledgers):
    """Of a process, or of a unit: its own sums, and of calls those of its outermost spans."""
    outermost = [sums for ledger in ledgers for sums in tops(ledger)]
    slack = LIBRARIES * len(ledgers)
    total, now = sum(one.all for one in ledgers), sum(one.now for one in ledgers)
    ranges = [p99_of(sums.calls) for sums in outermost if sums.calls]
    return {
        "ALLOC/s": "0B",
        "BLOCKS/s": "0",
        "NET/s": "0B",
        "CALLS/s": "0",
        "ALLOC": (total, total + slack),
        "NET": (now, now + slack),
        "OPEN": as_count(sum(sums.opened - sums.closed for sums in outermost)),
        "P99/CALL": (max(low for low, _ in ranges), max(high for _, high in ranges)),
    }


def view_tree(ledgers, all_pages):
    heading, lines = table(all_pages, is_list)
    columns, rows, above = heading[1:], {}, []
    for line in lines:
        label, *cells = line.rsplit(None, len(columns))
        indent = len(re.match(r"[ │├└─|`+-]*", label).group())
        name = label[indent:].strip()
        above = above[: indent // 2] + [name]
        rows["/".join(above)] = cells
    wanted = {f"(no unit) ({len(ledgers)} processes)": group_cells(ledgers)}
    for ledger in ledgers:
        process = f"(no unit) ({len(ledgers)} processes)/{ledger.name()}"
        wanted[process] = group_cells([ledger])
        for path, sums in ledger.paths.items():
            wanted[f"{process}/{path}"] = cells_of(sums, False)
        for thread, sums in ledger.outside.items():
            wanted[f"{process}/{outside_name(thread, False)}"] = cells_of(sums, True)
    for name, cells in wanted.items():
        other = name.replace("(outside) span_ledger", "(outside)")
        found = rows.pop(name, None) or rows.pop(other, None)
        if not found:
            wrong(f"there is no row {name}")
            continue
        for column, text in zip(columns, found):
            check(f"{column} of {name}", text, cells[column])
    for name in rows:
        wrong(f"there is a row {name}")


# --------------------------------------------------------------------------------------------------- processes


def check_header(ledgers, all_pages):
    now, slack = sum(one.now for one in ledgers), LIBRARIES * len(ledgers)
    first, heap = all_pages[0][0], all_pages[0][1]
    words = re.search(r"heap (\S+) (\S+)/s  RSS (\S+)  alloc (\S+)/s  (all counted)", first)
    if not words:
        wrong(f"the first line is {first}")
        return
    check("heap", words[1], (now, now + slack))
    check("its growth", words[2], "0B")
    check("RSS", words[3], (now, now + RESIDENT * len(ledgers)))
    check("alloc", words[4], "0B")
    words = re.search(r"^heap .*  now +(\S+)  max +(\S+)$", heap)
    if not words:
        wrong(f"the second line is {heap}")
        return
    check("now of heap", words[1], (now, now + slack))


def view_processes(ledgers, all_pages):
    heading, lines = table(all_pages, lambda line: line.startswith("PROCESS "))
    columns = heading[1:-1]  # the last is the state: nothing to say
    if heading[-1] != "STATE":
        wrong("there is no column STATE")
    order = []
    for line in lines:
        name, *cells = line.split()
        order.append(name)
        ledger = next((one for one in ledgers if one.name() == name), None)
        if not ledger or len(cells) != len(columns):
            wrong(f"there is a row {line}")
            continue
        wanted = {
            "HEAP": (ledger.now, ledger.now + LIBRARIES),
            "HEAP/s": "0B",
            "PEAK": (ledger.now, ledger.peak + LIBRARIES),
            "RSS": (ledger.now, ledger.now + RESIDENT),
            "ALLOC/s": "0B",
            "THREADS": str(ledger.threads),
        }
        for column, text in zip(columns, cells):
            check(f"{column} of {name}", text, wanted[column])
    if order != [one.name() for one in sorted(ledgers, key=lambda one: -one.now)]:
        wrong(f"the order is {order}")


def match_lines(lines, wanted):
    """`wanted`: a pattern of a line, and what each of its groups is."""
    for pattern, cells in wanted:
        match = next(filter(None, (re.search(pattern, line) for line in lines)), None)
        if not match:
            wrong(f"there is no line like {pattern}")
            continue
        for text, cell in zip(match.groups(), cells):
            check(f"in \"{match.group()}\"", text, cell)


def panel(all_pages):
    """Its lines without the title, which stays."""
    return merged([page[1:] for page in all_pages])


def view_process(ledger, all_pages):
    lines = panel(all_pages)
    match_lines(
        lines,
        [
            (
                r"^    Heap  (\S+), (\S+)/s, at most (\S+)$",
                [(ledger.now, ledger.now + LIBRARIES), "0B", (ledger.now, ledger.peak + LIBRARIES)],
            ),
            (r"^   Alloc  (\S+)/s, (\S+) in all$", ["0B", (ledger.all, ledger.all + LIBRARIES)]),
            (
                r"^     RSS  (\S+), of that (\S+) without files and shared memory$",
                [(ledger.now, ledger.now + RESIDENT), (ledger.now, ledger.now + RESIDENT)],
            ),
            (r"^ Threads  (\S+), not timed$", [str(ledger.threads)]),
            (r"^ Counted  all$", []),
        ],
    )
    at = next((i for i, line in enumerate(lines) if line.endswith("its spans, by NET")), None)
    if at is None:
        wrong("there are no spans")
        return
    columns, rows = lines[at].split()[:5], {}
    nets = []
    for line in lines[at + 1 :]:
        *cells, name = line.split(None, len(columns))
        rows[name] = cells
    wanted = {name: cells_of(sums, False) for name, sums in ledger.names().items()}
    for thread, sums in ledger.outside.items():
        wanted[outside_name(thread, False)] = cells_of(sums, True)
    for name, cells in wanted.items():
        found = rows.pop(name, None) or rows.pop(name.replace("(outside) span_ledger", "(outside)"), None)
        if not found:
            wrong(f"there is no row {name}")
            continue
        nets.append(found[0])
        for column, text in zip(columns, found):
            check(f"{column} of {name}", text, cells[column])
    for name in rows:
        wrong(f"there is a row {name}")


# ----------------------------------------------------------------------------------------------------- details


def histogram(calls, bucket_of, text_of):
    buckets = {}
    for size, net, n in calls:
        bucket = bucket_of(size, net)
        buckets[bucket] = buckets.get(bucket, 0) + n
    total = sum(buckets.values())
    return [
        f"{text_of(i)} {buckets.get(i, 0)} {buckets.get(i, 0) * 1000 // total / 10:.1f}%"
        for i in range(min(buckets), max(buckets) + 1)
    ]


def bucket_of_bytes(size, _):
    return max(size, 1).bit_length() - 1


def bucket_of_net(_, net):
    bucket = 1 if abs(net) < 16 else (abs(net).bit_length() - 1) // 2
    return 0 if not net else bucket if net > 0 else -bucket


def text_of_net(bucket):
    size = 0 if not bucket else 1 if abs(bucket) == 1 else 4 ** abs(bucket)
    return as_net(size if bucket > 0 else -size)


def check_histogram(lines, title, wanted):
    at = next((i for i, line in enumerate(lines) if line.startswith(title)), None)
    if at is None:
        wrong(f"there is no histogram \"{title}\"")
        return
    found = []
    for line in lines[at + 1 :]:
        match = re.match(r"^ *(\S+)  [^0-9]*? +(\d+) +(\d+\.\d%)$", line)
        if match:
            found.append(" ".join(match.groups()))
        elif found:
            break
    if found != wanted:
        wrong(f"\"{title}\" is {found}, should be {wanted}")


def view_details(name, ledgers, all_pages):
    lines, sums = panel(all_pages), Sums()
    for ledger in ledgers:
        sums.add(ledger.names()[name])
    rate = (0, sums.self_size)
    match_lines(
        lines,
        [
            (r"^ Quality  (\S+)$", ["exact"]),
            (r"^   Alloc  (\S+) in (\d+) allocations", [as_bytes(sums.size), str(sums.count)]),
            (
                r"^   Freed  (\S+) in (\d+) frees; net (\S+) on",
                [as_bytes(sums.freed), str(sums.frees), as_net(sums.net)],
            ),
            (r"^    Self  (\S+) in (\d+) allocations", [as_bytes(sums.self_size), str(sums.self_count)]),
            (r"^    Rate  self (\S+)/s over 10 s, (\S+)/s over 1 min, (\S+)/s over 10 min$", [rate] * 3),
            (
                r"^   Calls  (\d+) closed, (\d+) open, (\d+) cycles$",
                [str(sums.closed), str(sums.opened - sums.closed), str(sums.closed)],
            ),
        ],
    )
    if sums.calls:
        check_histogram(lines, "Bytes per call", histogram(sums.calls, bucket_of_bytes, lambda i: as_bytes(1 << i if i else 0)))
        check_histogram(lines, "Net bytes per call", histogram(sums.calls, bucket_of_net, text_of_net))
        match_lines(lines, [(r"^          (\S+) on average$", [as_net(int(sums.calls_net / sums.closed))])])
    if sums.opened > sums.closed:
        match_lines(lines, [(r"^ +(\d+)  worker$", [str(sums.opened - sums.closed)])])
    else:
        match_lines(lines, [(r"none at this moment", [])])
    for ledger in ledgers:
        for path, one in ledger.paths.items():
            if path.split("/")[-1] == name:
                pattern = f"^ *{re.escape(as_bytes(one.self_size))} +{re.escape(as_bytes(one.size))}  +{name}$"
                match_lines(lines, [(pattern, [])])


def view_outside(thread, ledger, all_pages):
    sums = ledger.outside[thread]
    match_lines(
        panel(all_pages),
        [
            (r"^   Alloc  (\S+) in (\d+) allocations$", [(sums.size, sums.size + LIBRARIES), (sums.count, sums.count + 100)]),
            (
                r"^   Freed  (\S+) in (\d+) frees; net (\S+)$",
                [(sums.freed, sums.freed + LIBRARIES), (sums.frees, sums.frees + 100), (sums.net, sums.net + LIBRARIES)],
            ),
        ],
    )


# ------------------------------------------------------------------------------------------------------ moving


def view_moving(before, after, others, all_pages):
    """While the first program works: each number is between those before and after; a rate is at most all in half a second."""
    heading, lines = table(all_pages, is_list)
    rows = rows_of(heading, others) | rows_outside(heading, before)
    for name, old in before.names().items():
        new = after.names()[name]
        cells = cells_of(old, False)
        if new.closed > old.closed:
            cells["P99/CALL"] = (min(p99_of(old.calls)[0], p99_of(new.calls)[0]), p99_of(new.calls)[1])
            nets = [int(sums.calls_net / sums.closed) for sums in (old, new)]
            cells |= {
                "ALLOC": (old.size, new.size),
                "NET": (old.net, new.net + CALL),
                "NET/CALL": (min(nets), max(nets)),
                "OPEN": (0, 1),
                "ALLOC/s": (1, 2 * (new.size - old.size)),
                "BLOCKS/s": (1, 2 * (new.count - old.count)),
                "NET/s": (-2 * CALL, 2 * (new.net - old.net + CALL)),
                "CALLS/s": (1, 2 * (new.closed - old.closed)),
            }
        rows[row_name(heading, "-", before.name(), name)] = cells
    check_rows(heading, lines, rows)


def main():
    view, *files = sys.argv[1:]
    ledgers, all_pages = [Ledger(file) for file in files], pages()
    view, *rest = view.split(":")
    if rest and rest[-1].isdigit():
        pid = int(rest.pop())
        ledgers = [one for one in ledgers if one.pid == pid]
    if view == "list":
        view_list(ledgers, all_pages)
    elif view in ("units", "names"):
        view_sums(ledgers, all_pages)
    elif view == "tree":
        view_tree(ledgers, all_pages)
    elif view == "processes":
        view_processes(ledgers, all_pages)
    elif view == "process":
        view_process(ledgers[0], all_pages)
    elif view == "details":
        view_details(rest[0], ledgers, all_pages)
    elif view == "outside":
        view_outside(rest[0], ledgers[0], all_pages)
    elif view == "moving":
        view_moving(ledgers[0], ledgers[1], ledgers[2:], all_pages)
    else:
        sys.exit(f"there is no view {view}")
    print("\n".join(errors))
    sys.exit(1 if errors else 0)


main()
