#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes docs/performance.md and its charts from the result of smmap-bench.

usage: report.py RESULT.json DOCS-DIRECTORY
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

matplotlib.rcParams.update(
    {"svg.hashsalt": "smmap", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "figure.figsize": (7, 3.6)}
)

GROUPS = {
    "hit": ("Hits", "A byte that the cursor covers, in memory that the processor's first cache holds."),
    "move": ("Moves", "One cursor goes to random ones of N regions that are all mapped. Nothing is touched."),
    "miss": (
        "Misses",
        "A region is mapped, one page of it touched, and an older one given back. The peer maps a window of the same "
        "size, touches one page and unmaps it.",
    ),
    "crowd": ("Misses among many regions", "The same while N regions are mapped. Small folios."),
    "scan": ("Sequential reading", "The sum of a warm file of 2 GiB in regions of 64 MiB within 256 MiB."),
    "cold": ("Cold files", "A file of 512 MiB that is dropped from the page cache before each round."),
    "read": (
        "Copying reads",
        "`smmap_read` on a warm file of 2 GiB with regions of 2 MiB: size x pattern x budget. The peers are `pread` and "
        "windows made by `mmap` and `munmap` with exact LRU, bounds-checked and under a mutex, with the same budget. "
        "Zipf's law is over the 1,024 regions, shuffled; offsets are uniform inside a region.",
    ),
    "threads": (
        "Threads",
        "Throughput of several threads over that of one, with one manager; compared with what two threads gain on "
        "counters of their own.",
    ),
    "memory": ("Memory", "What the manager takes for itself. Sizes, not ratios."),
    "evict": (
        "Eviction order",
        "Misses over those of exact LRU on the same trace of 600,000 steps over 10,000 regions, of which so many fit: `src/budget/evict.c` "
        "itself, driven without mapping anything. The recorded trace is what gitdb read of this project's own pack through the Python "
        "package, walking from commit to commit and then over all objects (`bench/traces/record.py`), in regions of 1 KiB.",
    ),
    "tool": ("The tool", "Wall time of whole processes."),
}

HEAD = """<!-- Written by bench/report.py. Do not edit: run `scripts/bench.sh build-bench --docs`. -->
# Performance

Measured on 2 virtual cores, Linux 6.18, ext4. All figures are **ratios** of two contestants that ran by turns in the same
run: the median of {rounds} rounds, in brackets the quartiles. For times less than 1 is better, for throughput more than 1.
`make bench` measures again, on any machine.

The page cache holds a file in *folios*, pieces of one page up to 2 MiB, and one page fault maps a whole folio. So each
figure that depends on it says which state was set up: *large folios* (the file was dropped from the page cache and read in
from begin to end) or *small folios* (written page by page). In this run:

{setup}

**Required** is what must hold, **goal** what is aimed at. {summary}
"""


def bar_text(r, key):
    if r["sense"] == "reported" or not r[key]:
        return ""
    return ("≤ " if r["sense"] == "at most" else "≥ ") + f"{r[key]:g}"


def number(value):
    return f"{value:.4f}" if abs(value) < 0.01 else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def row(r):
    spread = f" [{number(r['low'])}, {number(r['high'])}]" if r["rounds"] > 1 else ""
    verdict = {"met": "met", "MISSED": "**missed**", "goal missed": "**goal missed**", "busy": "not judged: busy"}.get(r["verdict"], "")
    cells = [r["name"], r["peer"], r["condition"] or "", number(r["median"]) + spread, bar_text(r, "bar"), bar_text(r, "goal")]
    return "| " + " | ".join(cells + [verdict]) + " |"


def table(rows):
    head = "| figure | against | condition | median [quartiles] | required | goal | |\n| --- | --- | --- | --- | --- | --- | --- |"
    return "\n".join([head] + [row(r) for r in rows])


def reason_for(r, reasons):
    for reason in reasons:
        if all((r[key] or "").startswith(reason[key]) for key in ("group", "name", "peer", "condition") if key in reason):
            return reason["text"]
    return "Not explained yet."


def missed_list(rows, reasons):
    missed = {}
    for r in rows:
        if r["verdict"] in ("MISSED", "goal missed"):
            place = f"{r['name']} against {r['peer']}" + (f" ({r['condition']})" if r["condition"] else "")
            missed.setdefault(reason_for(r, reasons), []).append(f"{place}: {number(r['median'])}")
    return "\n".join(f"- {'; '.join(places)}. {text}" for text, places in missed.items())


def curve(axes, rows, series, label):
    points = sorted((r for r in rows if r.get("series") == series), key=lambda r: r["x"])
    if points:
        x = [r["x"] for r in points]
        axes.plot(x, [r["median"] for r in points], marker="o", markersize=3, label=label)
        axes.fill_between(x, [r["low"] for r in points], [r["high"] for r in points], alpha=0.2)
    return bool(points)


def save(figure, directory, name):
    figure.tight_layout()
    figure.savefig(directory / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)
    return name


def line_chart(rows, directory, name, curves, x_label, y_label, bar=None, log_y=False):
    figure, axes = plt.subplots()
    drawn = [curve(axes, rows, series, label) for series, label in curves]
    if not any(drawn):
        plt.close(figure)
        return None
    axes.set_xscale("log")
    if log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    if bar:
        axes.axhline(bar, color="black", linestyle=":", linewidth=1, label="goal")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend()
    return save(figure, directory, name)


def bar_chart(rows, directory, name, group, wanted, y_label):
    picked = [r for r in rows if r["group"] == group and wanted(r)]
    if not picked:
        return None
    figure, axes = plt.subplots()
    places = range(len(picked))
    low = [max(0, r["median"] - r["low"]) for r in picked]
    high = [max(0, r["high"] - r["median"]) for r in picked]
    axes.barh(places, [r["median"] for r in picked], xerr=[low, high], height=0.6, alpha=0.8)
    axes.set_yticks(places, [r["name"] + (f", {r['condition']}" if r["condition"] else "") for r in picked])
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlabel(y_label)
    return save(figure, directory, name)


def charts(rows, directory):
    patterns = ["uniform", "Zipf 0.8", "Zipf 1.0", "Zipf 1.2", "sequential"]
    made = {
        "move": [
            line_chart(rows, directory, "move-growth", [("move-growth", "smmap")], "mapped regions", "time, 50 regions = 1", 3),
            line_chart(rows, directory, "move-libgit2",
                       [("move-libgit2", "windows opened in a row"), ("move-libgit2-churned", "windows came and went")],
                       "mapped regions", "time / libgit2's", log_y=True),
        ],
        "miss": [bar_chart(rows, directory, "miss", "miss", lambda r: True, "time / mmap + touch + munmap")],
        "crowd": [
            line_chart(rows, directory, "crowd-growth", [("crowd-growth", "smmap")], "mapped regions", "time, 100 regions = 1", 1.2),
            line_chart(rows, directory, "crowd-libgit2", [("crowd-libgit2", "smmap")], "mapped regions", "time / libgit2's", log_y=True),
        ],
        "read": [
            line_chart(rows, directory, f"read-{size}", [(f"read-{size}-{p}", p) for p in patterns], "budget, % of the file",
                       "time / the better peer's", 1.15)
            for size in (64, 4096)
        ],
        "threads": [bar_chart(rows, directory, "threads", "threads",
                              lambda r: r["peer"] == "one thread" and r["condition"] == "2 threads", "gain of two threads")],
        "evict": [
            line_chart(rows, directory, "evict",
                       [(f"evict-{series}", label) for series, label in
                        [("zipf-0.8", "Zipf 0.8"), ("zipf-1.0", "Zipf 1.0"), ("zipf-1.2", "Zipf 1.2"), ("zipf-scan", "Zipf 1.0 + scan"),
                         ("loop", "loop, 1.1 times"), ("pack", "git pack walk"), ("drift", "drifting"), ("phase", "shuffled at times")]],
                       "room, % of the regions", "misses / exact LRU's", 1.01)
        ],
        "tool": [bar_chart(rows, directory, "tool", "tool", lambda r: True, "ratio")],
    }
    return {group: [name for name in names if name] for group, names in made.items()}


def main():
    result = json.loads(pathlib.Path(sys.argv[1]).read_text())
    docs = pathlib.Path(sys.argv[2])
    reasons = json.loads((pathlib.Path(__file__).parent / "reasons.json").read_text())
    pictures = docs / "performance"
    pictures.mkdir(parents=True, exist_ok=True)
    notes = [r for r in result["results"] if r.get("note")]
    rows = [r for r in result["results"] if not r.get("note")]
    if any(r["group"] == "threads" and r["name"].startswith("the machine was busy") for r in notes):
        for r in rows:
            if r["peer"].startswith("gain of"):
                r["verdict"] = "busy"
    judged = [r for r in rows if r["verdict"] not in ("", "busy")]
    met = sum(r["verdict"] == "met" for r in judged)
    missed = missed_list(rows, reasons)
    drawn = charts(rows, pictures)

    setup = "\n".join(f"- {r['name']}" for r in notes if r["group"] == "setup")
    summary = f"{met} of {len(judged)} are met; the others are listed at the end, with the reasons."
    text = [HEAD.format(rounds=result["rounds"], setup=setup, summary=summary)]
    for group, (title, about) in GROUPS.items():
        group_rows = [r for r in rows if r["group"] == group]
        if not group_rows:
            continue
        text.append(f"## {title}\n\n{about}\n\n{table(group_rows)}\n")
        text += [f"- {r['name']}" for r in notes if r["group"] == group]
        text += [f"\n![{title}](performance/{name}.svg)" for name in drawn.get(group, [])]
        text.append("")
    if missed:
        text.append("## What is missed, and why\n\n" + missed + "\n")
    (docs / "performance.md").write_text("\n".join(text))


if __name__ == "__main__":
    main()
