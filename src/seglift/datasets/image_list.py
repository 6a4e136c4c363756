"""Lists of images in order of preference: which to label first, which to learn from when not all are used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seglift.base.errors import UserError
from seglift.datasets.dataset import Item

NAMED = 3
"""Names that a message gives as examples."""


def read_image_list(path: Path) -> tuple[str, ...]:
    """The lines of a text file in UTF-8 that are not empty, without the spaces around them.

    Raises:
        UserError: it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot read the list of images {path} ({reason}); give a text file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text, expected names of images, one a line; give a text file") from error
    return tuple(line.strip() for line in lines if line.strip())


def find_listed(names: Sequence[str], items: Sequence[Item], called: str) -> list[int]:
    """Numbers of the items that a list names, in its order.

    Args:
        names: of items, or the files of their images.
        items: to choose from.
        called: what messages call these.

    Raises:
        UserError: an item that there is not, or that is named twice.
    """
    places = {str(item.image): number for number, item in enumerate(items)}
    places |= {item.name: number for number, item in enumerate(items)}
    unknown = [name for name in names if name not in places]
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        some = ", ".join(item.name for item in items[:NAMED])
        raise UserError(
            f"the list of images names {unknown[0]}{more}, which {called} does not have (it has {some}, ...); correct"
            " it"
        )
    found: dict[int, str] = {}
    for name in names:
        number = places[name]
        if number in found:
            raise UserError(f"the list of images of {called} names {name} twice, expected each once; correct it")
        found[number] = name
    return list(found)
