# SPDX-License-Identifier: MIT
"""Makes the table of docs/performance.md of the figures that scripts/bench measured.

usage: table.py FIGURES PAGE [quick]

FIGURES has lines "NAME VALUE", a name as often as there were rounds.  What stands between the two marks of PAGE is
replaced.  Each row says what was measured, its goal, and whether that was reached; a figure that is not there says so.
"""
import collections
import datetime
import os
import platform
import re
import statistics
import sys

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

figures = collections.defaultdict(list)
with open(sys.argv[1]) as lines:
    for line in lines:
        words = line.split()
        if len(words) == 2:
            try:
                figures[words[0]].append(float(words[1]))
            except ValueError:
                pass


def median(name):
    return statistics.median(figures[name]) if figures[name] else None


def spread(name):
    values = figures[name]
    return f"{min(values):.3g} to {max(values):.3g}" if len(values) > 1 else ""


def ratio(a, b):
    """The median of the rounds' own ratios, and their spread: both of a round met the same machine."""
    each = [p / q for p, q in zip(figures[a], figures[b]) if q]
    if not each:
        return None, ""
    return statistics.median(each), f"{min(each):.3g} to {max(each):.3g}" if len(each) > 1 else ""


rows = []


def row(what, value, goal, unit="", note="", least=False, seen=""):
    if value is None:
        rows.append((what, "not measured", goal_text(goal, unit, least), "", ""))
        return
    reached = "" if goal is None else ("yes" if (value >= goal if least else value <= goal) else "**no**")
    text = f"{value:.3g} {unit}".strip() + (f" ({note})" if note else "")
    rows.append((what, text, goal_text(goal, unit, least), reached, seen))


def goal_text(goal, unit, least):
    return "" if goal is None else f"{'at least' if least else 'at most'} {goal:g} {unit}".strip()


def ratio_row(what, a, b, goal, unit="times"):
    value, seen = ratio(a, b)
    note = f"medians {median(a):.3g} and {median(b):.3g} ns" if value is not None else ""
    row(what, value, goal, unit, note, seen=seen)


ratio_row("whole scope, paced, beside the limit", "scope_paced", "limit_paced", 2)
ratio_row("… with timestamps, beside the limit with them", "timed_scope_paced", "limit_paced_timed", 1.25)
ratio_row("enter and exit, paced, beside the limit", "pair_paced", "limit_paced", 2)
ratio_row("… saturated, beside the limit", "pair_saturated", "limit_saturated", None)
row("… refused, saturated", median("pair_saturated_refused_percent"), None, "%")
row("enter and exit, instructions, with both calls and the look before", median("instructions_pair"), 90, "instructions")
row("whole scope, instructions", median("instructions_scope"), None, "instructions")
ratio_row("8 threads, own spans, per pair of one thread", "threads_8", "threads_1", 1.2)
ratio_row("8 threads, one shared span, per pair of one thread", "threads_8_shared", "threads_1", 1.2)
ratio_row("99.9 % of single pairs, a microsecond apart, beside their median", "tail_999", "tail_median", 10)
ratio_row("… of the limit", "limit_tail_999", "limit_tail_median", None)
row("scope without a collector", median("alone_scope"), 1.4, "ns", seen=spread("alone_scope"),
    note=f"a call of an empty function {median('alone_call') or 0:.3g} ns")
row("… switched off by SPANALLOC=0", median("off_alone_scope"), 1.4, "ns", seen=spread("off_alone_scope"))
if median("counted_malloc") is not None and median("plain_malloc") is not None:
    row("counting malloc(64) and free", median("counted_malloc") - median("plain_malloc"), 3, "ns",
        f"plain {median('plain_malloc'):.3g} ns")
else:
    row("counting malloc(64) and free", None, 3, "ns")
counted, plain = median("instructions_malloc_counted"), median("instructions_malloc_plain")
row("…", None if counted is None or plain is None else counted - plain, 40, "instructions")
for name, goal in (("jq", 1.01), ("sqlite3", 1.02), ("xmllint", 1.03), ("python3", 1.03)):
    row(f"counting in {name}, instructions beside plain", median("program_" + name), goal, "times")
row("collector, one busy lane, records a second", median("collector_lane"), 60, "million", least=True,
    seen=spread("collector_lane"))
row("… 100 processes of 8 threads, 10,000 paths", median("collector_crowd"), 40, "million", least=True,
    seen=spread("collector_crowd"))
row("… a million live spans in random order", median("collector_spans"), 25, "million", least=True,
    seen=spread("collector_spans"))
row("lossless at defaults: refused", median("lossless_refused"), 0, "",
    f"{(median('lossless_records_per_s') or 0) / 1e6:.3g} million records/s, "
    f"the collector took {median('lossless_collector_cores') or 0:.2g} cores")
row("100 processes that sleep: the collector", median("idle_percent_of_a_core"), 0.1, "% of a core")
row("`spans` over 100 processes of 200 spans, to the last byte of the answer", median("spans_answer_ms"), 10, "ms",
    f"{median('spans_rows') or 0:.0f} rows; the collector's processor time {median('spans_collector_ms') or 0:.3g} ms; "
    f"with spanallocctl, as JSON, {median('spans_whole_ms') or 0:.3g} ms")
row("… the columns that `top` asks for", median("top_answer_ms"), 10, "ms",
    f"the collector's processor time {median('top_collector_ms') or 0:.3g} ms")
top = [median("top_percent"), median("top_collector_percent")]
row("`top` in a terminal, over those, with the collector", None if None in top else sum(top), 1, "% of a core",
    "" if None in top else f"top {top[0]:.2g}, the collector {top[1]:.2g}")
row("memory of the daemon with those, all that is resident", median("daemon_mib"), 64, "MiB",
    f"{median('daemon_own_mib') or 0:.3g} without memfds, which are the clients' segments and the books")
row("1,000 threads that have filled their rings", median("memory_1000_threads_mib"), 64, "MiB")
beside = [median("beside_segment_kib"), median("beside_library_kib")]
row("a client of one thread and 200 spans, beside its ring", None if None in beside else sum(beside), 512, "KiB",
    "" if None in beside else f"{beside[0]:.0f} in the segment, {beside[1]:.0f} of the library's own")
row("a close in `follow`, beyond the spans' own rhythm", median("follow_jitter_ms"), 50, "ms")

others = []
scope = median("scope_paced")
for name, what in (("seed_pair", "the tracing layer it descends from"), ("lttng_pair", "LTTng-UST, two events, snapshot")):
    if scope and median(name):
        others.append((what, f"{median(name):.3g} ns", f"{median(name) / scope:.3g} times a scope"))
for name, what in (("anchor_spanalloc_jq", "jq with spanalloc's counting, wall"), ("anchor_heaptrack_jq", "jq under heaptrack"),
                   ("anchor_jemalloc_prof_jq", "jq, jemalloc with its sampling profiler, beside jemalloc"),
                   ("anchor_tcmalloc_prof_jq", "jq, tcmalloc with HEAPPROFILE, beside tcmalloc")):
    if median(name):
        others.append((what, f"{median(name):.3g} times plain", ""))


def table(head, body):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for line in body:
        yield "| " + " | ".join(line) + " |"


def processor():
    with open("/proc/cpuinfo") as file:
        found = re.search(r"model name\s*: (.*)", file.read())
    return found.group(1) if found else platform.machine()


text = [f"Measured {datetime.date.today()} by `scripts/bench{' --quick' if sys.argv[3:] == ['quick'] else ''}` on {processor()}, "
        f"{os.cpu_count()} processors, Linux {platform.release()}; load average at the end {os.getloadavg()[0]:.1f}.", ""]
text += table(("what", "measured", "goal", "reached", "rounds"), rows)
if others:
    text += ["", *table(("others", "measured", "beside spanalloc"), others)]
block = "\n".join([BEGIN, *text, END])
print("\n".join(text))
if sys.argv[2] != "/dev/null":
    with open(sys.argv[2]) as file:
        page = file.read()
    head, rest = page.split(BEGIN)
    with open(sys.argv[2], "w") as file:
        file.write(head + block + rest.split(END)[1])
