"""The plots, as SVG. Without matplotlib there are none, and that is said."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import paced
from listeners import LISTENERS

WIDTH_IN, HEIGHT_IN = 9.0, 4.5


def pyplot() -> Any:
    """Or None."""
    try:
        matplotlib = importlib.import_module("matplotlib")
    except ImportError:
        return None
    matplotlib.use("svg")
    # The same figures make the same file.
    matplotlib.rcParams["svg.hashsalt"] = "awaitd"
    matplotlib.rcParams["font.size"] = 8
    return importlib.import_module("matplotlib.pyplot")


def usable(folder: Path | None) -> bool:
    """False, and a word about it, if plots are wanted and cannot be drawn."""
    if folder and pyplot() is None:
        print("bench: SKIPPED the plots: python3-matplotlib is not installed")
        return False
    return folder is not None


def colour(number: int) -> str:
    """Ours in blues, the others in greys and browns."""
    others = ["#999999", "#666666", "#d8b365", "#a6761d"]
    ours = ["#08306b", "#2171b5", "#4292c6", "#6baed6", "#9ecae1"]
    place = [l.ours for l in LISTENERS[:number]].count(LISTENERS[number].ours)
    palette = ours if LISTENERS[number].ours else others
    return palette[place % len(palette)]


def bars(
    axes: Any, results: paced.Results, rates: list[int], field: str
) -> None:
    width = 0.85 / len(LISTENERS)
    for number, listener in enumerate(LISTENERS):
        axes.bar(
            [place + (number + 0.5) * width - 0.425
             for place in range(len(rates))],
            [getattr(results[listener.name, rate], field) for rate in rates],
            width, label=listener.name, color=colour(number))
    axes.set_xticks(range(len(rates)), [f"{rate:,}/s" for rate in rates])
    axes.spines[["top", "right"]].set_visible(False)


def save(plt: Any, figure: Any, path: Path, top: float = 1) -> None:
    """`top`: how much of the height is for the axes; a legend is above them."""
    figure.tight_layout(rect=(0, 0, 1, top))
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    print(f"bench: drew {path}")


def draw_cpu(path: Path, results: paced.Results, rates: list[int]) -> None:
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(WIDTH_IN, HEIGHT_IN))
    bars(axes, results, rates, "cpu_us")
    axes.set_ylabel("processor time for a frame, µs")
    axes.legend(frameon=False)
    save(plt, figure, path)


def draw_latency(
    path: Path, groups: dict[str, paced.Results], rates: list[int]
) -> None:
    plt = pyplot()
    figure, grid = plt.subplots(
        2, len(groups), figsize=(WIDTH_IN, 1.4 * HEIGHT_IN), sharey=True)
    for column, (title, results) in enumerate(groups.items()):
        for row, (field, word) in enumerate(
                (("p50_us", "p50"), ("p99_us", "p99"))):
            axes = grid[row][column]
            bars(axes, results, rates, field)
            # Bars have no foot on a logarithmic axis: this one is 1 µs.
            axes.set_yscale("log")
            axes.set_ylim(1, 1e7)
            axes.set_title(f"{word}, {title}")
            axes.set_ylabel("from send() to the script, µs")
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=7, ncol=3,
                  loc="upper center")
    save(plt, figure, path, top=0.9)
