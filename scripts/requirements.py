"""Print the requirements of the project and of the dependency groups named, one a line.

pip reads dependency groups itself from version 25.1 on. A fresh Python brings an older one, so:

    python scripts/requirements.py dev >requirements.txt
    pip install -r requirements.txt
"""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def requirements_of(group: str, groups: dict[str, list[str | dict[str, str]]]) -> Iterator[str]:
    """Yield what `group` asks for, with the groups that it includes."""
    if group not in groups:
        raise SystemExit(f"no dependency group {group!r}; there are {', '.join(groups)}")
    for entry in groups[group]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from requirements_of(entry["include-group"], groups)


def main() -> None:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    lines = list(project["project"]["dependencies"])
    for group in sys.argv[1:]:
        lines += requirements_of(group, project["dependency-groups"])
    print("\n".join(dict.fromkeys(lines)))


if __name__ == "__main__":
    main()
