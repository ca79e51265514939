"""Run a command in a fresh home under strace, and tell whom it spoke to and what it left behind.

A system call says what no library can hide: a name lookup opens the list of name servers and sends
to one of them, a connection names its address, a file is created by its path. Linux only.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STRACE = shutil.which("strace")
OWN_FOLDER = "lanet-live"
_HOME_FOLDERS = {
    "HOME": "home",
    "TMPDIR": "tmp",
    "XDG_CACHE_HOME": "xdg/cache",
    "XDG_CONFIG_HOME": "xdg/config",
    "XDG_DATA_HOME": "xdg/data",
    "XDG_STATE_HOME": "xdg/state",
}
_KEPT_VARIABLES = (
    "PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "QT_QPA_PLATFORM",
)  # fmt: skip
_CREATING = (
    "creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat,symlink,symlinkat"
)
# What a name lookup reads: the list of servers, and the names that need none.
_LOOKUP_FILES = ('"/etc/resolv.conf"', '"/etc/hosts"')
# connect, bind, sendto, sendmsg and sendmmsg name a peer by its address.
_PEER = re.compile(r"sa_family=AF_INET6?\b")
# The daemon that answers lookups on some machines, and systemd's.
_LOCAL_RESOLVERS = re.compile(r'sun_path="(/var)?/run/(nscd|systemd/resolve|avahi-daemon)/')
_SUCCEEDED = re.compile(r"\) = \d+(<(?P<path>[^>]*)>)?$")
_FOLDER = re.compile(r"(?:AT_FDCWD|[0-9]+)<([^>]*)>, \"")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Trace:
    """What a command did beyond computing.

    Attributes:
        code: Its exit code.
        contacts: System calls that look up a name or speak to an internet address.
        files: Paths it created outside its own folders, whether they are still there or not.
        output: Standard output and standard error.
    """

    code: int
    contacts: tuple[str, ...]
    files: tuple[str, ...]
    output: str


def why_not_traced() -> str:
    """Return why commands cannot be traced here; empty when they can."""
    if STRACE is None:
        return "strace is not installed (Linux: apt-get install strace)"
    tried = subprocess.run([STRACE, "-f", "-o", os.devnull, "true"], capture_output=True, text=True)
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()}"


def fresh_home(folder: Path) -> dict[str, str]:
    """Make empty home, temporary and XDG folders, and return the variables that name them."""
    variables = {}
    for name, part in _HOME_FOLDERS.items():
        (folder / part).mkdir(parents=True)
        variables[name] = str(folder / part)
    return variables


def run_traced(
    command: Sequence[str | Path],
    folder: Path,
    *,
    variables: dict[str, str] | None = None,
    own: Sequence[Path] = (),
    stop_after_s: float | None = None,
    stop_once_open: str = "",
    timeout_s: float = 500,
) -> Trace:
    """Run a command in a fresh home.

    Args:
        command: Program and arguments.
        folder: An empty folder for the home and the record.
        variables: Added to the environment.
        own: Where the command is told to write.
        stop_after_s: Interrupt it after so many seconds, as Ctrl-C does,
        stop_once_open: counted from when it opened a file with this in its path.
        timeout_s: Kill it after so many.
    """
    assert STRACE is not None
    home = fresh_home(folder)
    record, work = folder / "strace", folder / "work"
    record.mkdir()
    work.mkdir()
    # Nothing else: the process that runs the tests has already switched the libraries' reports off
    # for itself and its children, and what is tested is that each command does so on its own.
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    environment = {**kept, **home, "PYTHONDONTWRITEBYTECODE": "1", **(variables or {})}
    with subprocess.Popen(
        [
            STRACE, "-ff", "-qq", "-y", "-s", "160", "--seccomp-bpf", "-e", "signal=none",
            "-e", f"trace=%network,open,openat,openat2,{_CREATING}", "-o", str(record / "calls"),
            *map(str, command),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env=environment, cwd=work, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            if stop_after_s is not None:
                _wait_for_opening(stop_once_open, record, process)
                time.sleep(stop_after_s)
                os.killpg(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
    calls = [line for path in sorted(record.iterdir()) for line in _lines(path)]
    places = [Path(path) for path in home.values()]
    made = [path for call in calls for path in _created_paths(call, work)]
    left = [path for place in places for path in place.rglob("*") if not path.is_dir()]
    own_folders = [work, *own, *(place / OWN_FOLDER for place in places)]
    foreign = {path for path in (*made, *left) if not _is_own(path, own_folders)}
    passing = {path for path in foreign if _is_passing(path, Path(home["TMPDIR"]))}
    return Trace(
        process.returncode,
        tuple(call for call in calls if _is_contact(call)),
        tuple(sorted(str(path) for path in foreign - passing)),
        output,
    )


def _wait_for_opening(part: str, record: Path, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        if any(part in file.read_text(errors="replace") for file in record.iterdir()):
            return
        time.sleep(0.5)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _is_contact(call: str) -> bool:
    name = call.partition("(")[0]
    if name in ("open", "openat", "openat2"):
        return any(path in call for path in _LOOKUP_FILES)
    if name in ("connect", "bind", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg"):
        # Where such a daemon is missing, the lookup goes on to the list of servers.
        return bool(_PEER.search(call) or (_LOCAL_RESOLVERS.search(call) and "ENOENT" not in call))
    return False


def _is_own(path: Path, own: Sequence[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in own)


def _is_passing(path: Path, temporary: Path) -> bool:
    """Tell a temporary file that is gone, and what is no file: devices, semaphores, processes."""
    if path.is_relative_to(temporary):
        return not path.exists()
    return path.is_relative_to("/dev") or path.is_relative_to("/proc")


def _created_paths(call: str, work: Path) -> list[Path]:
    """Return the absolute paths a successful call brought into being."""
    name = call.partition("(")[0]
    done = _SUCCEEDED.search(call)
    if done is None:
        return []
    if name in ("open", "openat", "openat2", "creat"):
        is_new = name == "creat" or "O_CREAT" in call
        return [Path(done["path"])] if is_new and done["path"] else []
    if name not in _CREATING.split(","):
        return []
    # The last path named is the new one: mkdir(path), rename(old, new), symlink(target, new). A
    # relative one follows the folder it is relative to, if the call names one.
    folders, names = _FOLDER.findall(call), _QUOTED.findall(call)
    return [Path(folders[-1] if folders else work) / names[-1]]
