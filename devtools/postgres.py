"""An embedded PostgreSQL 18 on the loopback address, driven by its own programs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from devtools import guardian, ports
from devtools.errors import CommandError, DevError
from devtools.postgres_home import Home, find_home, forget_home
from devtools.processes import collect, command_line, is_alive, keep, tail, wait_until
from devtools.project import THIS
from devtools.secret_files import private_text, write_private

USER = "postgres"
DATABASE = "leadsend"
# Recovery after a crash can take long; the line "ready" comes only after it.
READY_TIMEOUT_S = 120.0
# After a kill -9 the shared memory is held for about a second, until the last child has gone.
RETRY_S = 20.0
LOG_LIMIT_BYTES = 10_000_000
SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "io_method": "sync",
    "jit": "off",
    "random_page_cost": "1.1",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_checkpoints": "off",
}
# Survives the death of every process, not of the machine.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """One server; its state (password, port, log and, where possible, data) is in ``directory``."""

    def __init__(
        self, directory: Path, *, durable: bool = True, site_packages: Path | None = None
    ) -> None:
        self._directory = directory.absolute()
        self._settings = SETTINGS if durable else SETTINGS | NOT_DURABLE
        self._site_packages = site_packages or THIS.site_packages()
        self._known_home: Home | None = None

    @property
    def url(self) -> str:
        at = self.environment
        host = f"{at['POSTGRES_HOST']}:{at['POSTGRES_PORT']}"
        return f"postgresql://{USER}:{at['POSTGRES_PASSWORD']}@{host}/{DATABASE}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which LeadSend finds this server."""
        return {
            "POSTGRES_HOST": ports.LOOPBACK,
            "POSTGRES_PORT": (self._directory / "port").read_text().strip(),
            "POSTGRES_USER": USER,
            "POSTGRES_PASSWORD": private_text(self._directory / "password"),
            "POSTGRES_DB": DATABASE,
        }

    @property
    def log(self) -> Path:
        return self._directory / "postgres.log"

    @property
    def data(self) -> Path:
        """The folder of the data; what is noted in it goes with them."""
        return self._home.data

    @property
    def programs(self) -> Path:
        """The folder of `psql`, `pgbench` and the others."""
        return self._home.programs

    @property
    def pid(self) -> int | None:
        """The id of the running server's first process, or None."""
        collect()
        lines = self._lock_lines()
        if not lines or not lines[0].isdigit():
            return None
        pid = int(lines[0])
        return pid if is_alive(pid) and self._is_ours(pid) else None

    def start(self, *, detached: bool = False) -> str:
        """Start the server unless it runs, wait until it answers, return its URL.

        The first time the data are created. ``detached``: it outlives the calling process.
        Raises DevError when it does not come up.
        """
        if self.pid is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            if not self._home.data.exists():
                self._create()
            self._start_with_retries(detached=detached)
        return self.url

    def stop(self) -> None:
        """Stop the server the quick and clean way; nothing happens when it does not run."""
        self._stop_by(signal.SIGINT)

    def kill(self) -> None:
        """End the first process by kill -9, as a crash would do."""
        self._stop_by(signal.SIGKILL)

    def stop_immediate(self) -> None:
        """Do as ``pg_ctl stop -m immediate``: no checkpoint, recovery at the next start."""
        self._stop_by(signal.SIGQUIT)

    def restart_immediate(self) -> None:
        """Do as ``pg_ctl restart -m immediate``."""
        self.stop_immediate()
        self.start()

    def destroy(self) -> None:
        """Stop the server and delete its data."""
        self.stop()
        forget_home(self._home)
        self._known_home = None

    @property
    def _home(self) -> Home:
        if self._known_home is None:
            self._known_home = find_home(self._directory, site_packages=self._site_packages)
        return self._known_home

    def _create(self) -> None:
        """Make the data in a draft folder, so that an interrupted start leaves no half of them."""
        draft = self._home.workplace / "draft"
        password_file = self._home.workplace / "first-password"
        self._run("rm", "-rf", str(draft))
        write_private(password_file, private_text(self._directory / "password"))
        os.chown(password_file, self._home.account.uid or -1, self._home.account.gid or -1)
        self._run(
            self._program("initdb"),
            f"--pgdata={draft}",
            f"--username={USER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            "--no-sync",
        )
        password_file.unlink()
        self._run(
            self._program("postgres"),
            "--single",
            "-D",
            str(draft),
            "postgres",
            given=f"CREATE DATABASE {DATABASE}\n",
        )
        draft.rename(self._home.data)

    def _start_with_retries(self, *, detached: bool) -> None:
        deadline = time.monotonic() + RETRY_S
        while not self._try_to_start(detached=detached):
            said = tail(self.log)
            if "No space left on device" in said:
                raise DevError("PostgreSQL cannot start: the disk is full. Free some space.")
            if time.monotonic() > deadline:
                raise CommandError(f"PostgreSQL does not start (log: {self.log})", output=said)
            time.sleep(0.2)

    def _try_to_start(self, *, detached: bool) -> bool:
        self._drop_stale_lock()
        account = self._home.account
        port = ports.remembered(self._directory / "port")
        settings = [
            f"{name}={value}" for name, value in (self._settings | {"port": str(port)}).items()
        ]
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.unlink()
        with self.log.open("ab") as sink:
            process = subprocess.Popen(
                [
                    self._program("postgres"),
                    "-D",
                    str(self._home.data),
                    *(part for setting in settings for part in ("-c", setting)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=self._home.workplace,
                env=_plain_environment(),
                start_new_session=True,
                user=account.uid,
                group=account.gid,
                extra_groups=account.extra_groups,
            )
        keep(process)
        if not detached:
            guardian.of_this_process().watch(process.pid)
        wait_until(
            lambda: process.poll() is not None or self._is_ready(process.pid),
            timeout_s=READY_TIMEOUT_S,
        )
        return self._is_ready(process.pid) and process.poll() is None

    def _is_ready(self, pid: int) -> bool:
        lines = self._lock_lines()
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _stop_by(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, number)
        if not wait_until(lambda: self.pid is None, timeout_s=60.0):
            os.kill(pid, signal.SIGQUIT)
            wait_until(lambda: self.pid is None, timeout_s=10.0)

    def _lock_lines(self) -> list[str]:
        try:
            return (self._home.data / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _is_ours(self, pid: int) -> bool:
        """Tell a server from a process that got its id after a restart of the machine."""
        command = command_line(pid)
        return not command or str(self._home.data) in command

    def _drop_stale_lock(self) -> None:
        """Remove the lock of a server that is gone and whose id now belongs to somebody else."""
        lines = self._lock_lines()
        if lines and lines[0].isdigit() and is_alive(int(lines[0])) and self.pid is None:
            (self._home.data / "postmaster.pid").unlink()

    def _program(self, name: str) -> str:
        return str(self._home.programs / name)

    def _run(self, *command: str, given: str = "") -> None:
        account = self._home.account
        done = subprocess.run(
            command,
            input=given.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._home.workplace,
            env=_plain_environment(),
            check=False,
            user=account.uid,
            group=account.gid,
            extra_groups=account.extra_groups,
        )
        if done.returncode:
            said = done.stdout.decode(errors="replace")
            raise CommandError(f"{Path(command[0]).name} failed", output=said)


def _plain_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
