"""A file system so small that it really fills."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """`folder = full_disk(1 << 20)`: a folder on a file system of that many bytes; `under` says where.

    Needs the right to mount; skips in words without it.
    """
    with contextlib.ExitStack() as mounted:

        def mount(size: int, under: Path = tmp_path) -> Path:
            folder = Path(tempfile.mkdtemp(prefix="small_disk-", dir=under))
            tried = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "tmpfs", str(folder)],
                check=False,
                capture_output=True,
                text=True,
            )
            if tried.returncode != 0:
                folder.rmdir()
                pytest.skip(f"a small file system cannot be mounted here: {tried.stderr.strip()}")
            # Lazily: a server may still hold a file for a moment.
            mounted.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
            return folder

        yield mount
