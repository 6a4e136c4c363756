from __future__ import annotations

import os

import pytest

from seglift.base.errors import UserError
from seglift.base.linked import link_or_copy


def test_a_file_lies_in_two_places_once(tmp_path):
    source, target = tmp_path / "a.png", tmp_path / "deep" / "b.png"
    source.write_bytes(b"one")
    link_or_copy(source, target)
    link_or_copy(source, target)
    assert target.samefile(source)
    assert list(target.parent.iterdir()) == [target]
    target.unlink()
    target.write_bytes(b"two")
    link_or_copy(source, target)
    assert target.read_bytes() == b"one"


def test_where_links_cannot_be_it_is_copied(tmp_path, monkeypatch):
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    source.write_bytes(b"one")

    def refuses(*_):
        raise PermissionError("another file system")

    monkeypatch.setattr(os, "link", refuses)
    link_or_copy(source, target)
    assert target.read_bytes() == b"one" and not target.samefile(source)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_to_an_image_gives_the_image(tmp_path):
    source, link = tmp_path / "a.png", tmp_path / "link.png"
    source.write_bytes(b"one")
    link.symlink_to(source)
    link_or_copy(link, tmp_path / "b.png")
    assert not (tmp_path / "b.png").is_symlink()
    assert (tmp_path / "b.png").samefile(source)


def test_what_cannot_be_read_or_written_is_said(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        link_or_copy(tmp_path / "absent.png", tmp_path / "b.png")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "a.png").write_bytes(b"one")
    with pytest.raises(UserError, match="cannot write"):
        link_or_copy(tmp_path / "a.png", tmp_path / "file" / "b.png")
