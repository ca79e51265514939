"""Write the pictures of the layers in docs/architecture.md from the import graph.

    python scripts/layer_picture.py            # writes them
    python scripts/layer_picture.py --check    # exit code 1 when they are out of date

One Mermaid diagram a package: its folders and loose modules, and an arrow from each to those it
imports. An arrow is left out where a longer way leads to the same place (transitive reduction), so
that the picture shows the order and not every import.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import grimp

PACKAGES: Final = ("lanet_live", "lanet_engines", "lanet_trainer")
PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "architecture.md"
BEGIN: Final = "<!-- layers of {}: written by scripts/layer_picture.py -->"
END: Final = "<!-- end of layers -->"

Arrows = dict[str, set[str]]


def room_imports(graph: grimp.ImportGraph, package: str) -> Arrows:
    """Return what each direct child of a package imports from its siblings."""
    arrows: Arrows = {}
    for child in graph.find_children(package):
        imported = {
            ".".join(target.split(".")[:2])
            for module in {child, *graph.find_descendants(child)}
            for target in graph.find_modules_directly_imported_by(module)
            if target.startswith(f"{package}.")
        }
        arrows[_short(child)] = {_short(target) for target in imported - {child}}
    return arrows


def reduce_arrows(arrows: Mapping[str, set[str]]) -> Arrows:
    """Leave out each arrow that a longer way stands for.

    Raises:
        ValueError: Two rooms import each other, directly or by way of others.
    """
    below = {room: _reachable(arrows, room) for room in arrows}
    for room, rooms_below in below.items():
        if room in rooms_below:
            raise ValueError(f"{room} imports itself by way of others")
    return {
        room: targets - {far for near in targets for far in below[near]}
        for room, targets in arrows.items()
    }


def diagram(package: str, graph: grimp.ImportGraph) -> str:
    """Return a Mermaid flowchart of a package."""
    arrows = reduce_arrows(room_imports(graph, package))
    lines = [f"    {room}" for room in sorted(arrows)]
    lines += [f"    {room} --> {t}" for room in sorted(arrows) for t in sorted(arrows[room])]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def with_pictures(page: str) -> str:
    """Return the page with every picture drawn anew.

    Raises:
        ValueError: A pair of marks is missing.
    """
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    for package in PACKAGES:
        begin = BEGIN.format(package)
        if page.count(begin) != 1 or END not in page.split(begin)[1]:
            raise ValueError(f"docs/architecture.md lacks the marks for {package}")
        before, rest = page.split(begin)
        after = rest.split(END, maxsplit=1)[1]
        page = f"{before}{begin}\n{diagram(package, graph)}\n{END}{after}"
    return page


def main() -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args()
    page = PAGE.read_text(encoding="utf-8")
    drawn = with_pictures(page)
    if args.check:
        return int(drawn != page)
    PAGE.write_text(drawn, encoding="utf-8")
    return 0


def _short(module: str) -> str:
    return module.split(".")[1]


def _reachable(arrows: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(arrows[start])
    while waiting:
        room = waiting.pop()
        if room not in found:
            found.add(room)
            waiting.extend(arrows[room])
    return found


if __name__ == "__main__":
    sys.exit(main())
