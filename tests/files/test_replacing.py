"""A file is written whole or not at all, with the mode of the one before, and never over what is read."""

import os
from pathlib import Path

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.files.replacing import must_be_another, replacing, writing


def write(path: Path, data: bytes = b"new") -> None:
    with replacing(str(path)) as file:
        file.write(data)


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_new_file_has_the_usual_mode_and_a_replaced_one_its_own(mask: int, tmp_path: Path) -> None:
    path, before = tmp_path / "a", os.umask(mask)
    try:
        write(path)
        assert path.read_bytes() == b"new" and path.stat().st_mode & 0o7777 == 0o666 & ~mask
        path.chmod(0o4751)
        write(path, b"newer")
        assert path.read_bytes() == b"newer" and path.stat().st_mode & 0o7777 == 0o4751
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert os.listdir(tmp_path) == ["a"]


def test_half_a_file_is_removed_and_the_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(str(path)) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert file.closed and path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def test_a_file_under_way_lies_hidden_beside_its_target_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    link, target = tmp_path / "link", tmp_path / "in" / "a"
    link.symlink_to(target)
    with replacing(str(link)) as file:
        (hidden,) = os.listdir(tmp_path / "in")
        assert hidden.startswith(".layerexplain-") and file.name == str(tmp_path / "in" / hidden)
    assert link.is_symlink() and target.is_file() and file.closed


def test_a_pipe_is_written_itself_and_stays_when_that_fails(tmp_path: Path) -> None:
    """Not a device: with a fault in the code, a test that may would replace it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write(pipe)
    assert os.read(reader, 99) == b"new"
    with pytest.raises(ZeroDivisionError), replacing(str(pipe)) as file:
        raise ZeroDivisionError
    os.close(reader)
    assert file.closed and file.name == str(pipe) and pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


def test_what_the_system_refuses_names_the_file_and_why(tmp_path: Path) -> None:
    with pytest.raises(LayerExplainError) as caught:
        write(tmp_path / "no" / "a")
    assert str(caught.value) == f"{tmp_path}/no/a: cannot be written: No such file or directory"
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(LayerExplainError, match=r"^b: cannot be written: no room$"), writing("b"):
        raise OSError("no room")


def test_a_file_that_is_read_is_not_written(tmp_path: Path) -> None:
    path, other, link = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    path.write_bytes(b"")
    other.write_bytes(b"")
    link.symlink_to(path)
    must_be_another(str(path), [str(other), other, object(), b"content", "no/such/file", "nul\0"])
    for source in (str(path), path, str(link)):
        with pytest.raises(LayerExplainError) as caught:
            must_be_another(str(path), ["no/such/file", source])
        assert str(caught.value) == f"{path}: is read itself, and would be replaced; give another name"
