"""What is refused on the way to a file: pipes, folders, devices, too much input, URLs that lead elsewhere."""

import os
import sys
from pathlib import Path

import pytest

from layerexplain.errors import SourceError
from layerexplain.sources import fsspec_files
from layerexplain.sources.names import Remote
from layerexplain.sources.regular_file import open_regular

# Files of this machine ----------------------------------------------------------------------------------------------


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(sys.platform != "linux", reason="it counts open files")
def test_a_pipe_or_a_folder_is_refused_and_closed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = descriptors()
    for what, words in (("", "is not a regular file; a file is needed"), ("m.h5", "m.h5 is not a regular file; a file is needed")):  # fmt: skip
        for path in (tmp_path / "pipe", tmp_path):
            with pytest.raises(SourceError) as caught:
                open_regular(str(path), what)
            assert caught.value.fact == words
    assert descriptors() == before


# The options that fsspec gets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("reference://a", "the protocol reference is which reads whatever other files a file names, and is not opened as a URL"),
        ("simplecache::file:///a", "the protocol file is a path, and is not opened as a URL"),
        ("simplecache::local://a", "the protocol local is a path, and is not opened as a URL"),
        ("http://[::1]/a", "has an address in brackets, which fsspec cannot read; give the host's name"),
    ],
)  # fmt: skip
def test_a_url_that_is_not_followed(url: str, words: str) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(SourceError) as caught:
        fsspec_files._file_system(Remote(url))
    assert caught.value.fact == words
