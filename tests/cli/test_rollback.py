"""`trdinger rollback` by command: what is said, in words and in JSON, and that a report's command does it."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from cli.command import fields, here
from cli.conftest import Moved
from cli.test_json import documented


def copy(moved: Moved, folder: Path) -> Path:
    """The moved file with its work folder, in a folder of its own, written to since."""
    shutil.copytree(moved.source.parent, folder)
    path = folder / moved.source.name
    with path.open("ab") as file:
        file.write(b"\0" * 4096)
    return path


def test_the_way_back_is_planned_gone_and_told(moved: Moved, tmp_path: Path) -> None:
    path = copy(moved, tmp_path / "app")
    (backup,) = path.with_name("trdinger-move").glob("*.db")
    planned = here("rollback", path, "--plan")
    assert planned.code == 0, planned.err
    assert planned.out.startswith(f"✓ {path} would be replaced by its backup; nothing was changed.")
    told = here("rollback", path, "--plan", "--json").json
    assert fields(told) == documented("rollback")
    assert (told["writes"], told["already_done"]) == (False, False)
    done = here("rollback", path)
    assert done.code == 0, done.err
    assert done.out.startswith(f"✓ {path} is as it was backed up.")
    assert "Kept        what was there before: " in done.out
    assert path.read_bytes() == backup.read_bytes()
    again = here("rollback", path, "--json")
    assert (again.code, again.err, again.json["already_done"]) == (0, "", True)


def test_the_command_at_the_end_of_a_report_is_the_way_back(moved: Moved, tmp_path: Path) -> None:
    (line,) = [line for line in moved.done.out.splitlines() if "Go back" in line]
    program, *arguments = shlex.split(line.partition("then: ")[2])
    assert program == "trdinger"
    done, again = here(*arguments), here(*arguments)
    assert (done.code, again.code) == (0, 0), done.err
    assert "is as it was backed up" in done.out
    assert "is the backup already; nothing was done" in again.out
    elsewhere = copy(moved, tmp_path / "app").rename(tmp_path / "trdinger.db")
    assert here("rollback", elsewhere, "--workdir", moved.workdir).code == 0


def test_no_backup_ends_with_4_and_says_how_to_name_one(tmp_path: Path) -> None:
    done = here("rollback", tmp_path / "trdinger.db")
    assert done.code == 4
    assert "holds no backup of trdinger.db" in done.sentence
    assert "--workdir" in done.sentence
