"""pgbouncer between LeadSend and its database, in transaction mode, as a larger installation has it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from devtools.ports import find_free
from devtools.processes import end, is_alive
from leadsend.testing.stack import Stack

_START_LIMIT_S = 10.0
_UNPRIVILEGED = "nobody"  # pgbouncer refuses to run as root
MISSING = "pgbouncer is not on the PATH: install the Debian package pgbouncer."


def find_pgbouncer() -> str | None:
    """Return the program's path, None where it is not installed."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Pooler:
    """One pgbouncer on the loopback address; ``server_connections`` is all it opens behind."""

    def __init__(self, target: str, *, server_connections: int = 20) -> None:
        self._target = urlsplit(target)
        self._server_connections = server_connections
        self._folder = Path(tempfile.mkdtemp(prefix="leadsend-pgbouncer-"))
        self._port = find_free()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the address that takes the database's place in ``DATABASE_URL``."""
        at = self._target
        return f"postgresql://{at.username}:{at.password}@127.0.0.1:{self._port}{at.path}"

    @property
    def pid(self) -> int:
        """Return the process id. Raises RuntimeError before the start."""
        if self._process is None:
            raise RuntimeError("the pooler was never started")
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError where it is not installed."""
        program = find_pgbouncer()
        if program is None:
            raise RuntimeError(MISSING)
        self._write_files()
        user = _UNPRIVILEGED if os.getuid() == 0 else None
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [program, str(self._folder / "pgbouncer.ini")],
                user=user,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._wait()

    def stop(self) -> None:
        """End it and remove what it wrote."""
        if self._process is not None:
            process = self._process
            end(lambda: [process.pid] if is_alive(process.pid) else [], grace_s=5)
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write_files(self) -> None:
        at = self._target
        users = self._folder / "users.txt"
        users.write_text(f'"{at.username}" "{unquote(at.password or "")}"\n')
        (self._folder / "pgbouncer.ini").write_text(
            "[databases]\n"
            f"{at.path.strip('/')} = host={at.hostname} port={at.port}\n"
            "[pgbouncer]\n"
            "listen_addr = 127.0.0.1\n"
            f"listen_port = {self._port}\n"
            "unix_socket_dir =\n"
            "auth_type = trust\n"
            f"auth_file = {users}\n"
            "pool_mode = transaction\n"
            f"default_pool_size = {self._server_connections}\n"
            "max_client_conn = 500\n"
            # What an engine sets for itself on a direct connection (docs/scaling.md).
            "idle_transaction_timeout = 30\n"
            f"logfile = {self._folder / 'log'}\n"
        )
        if os.getuid() == 0:
            for path in (self._folder, *self._folder.iterdir()):
                shutil.chown(path, user=_UNPRIVILEGED)

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_LIMIT_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                    return
            except OSError:
                if time.monotonic() > deadline:
                    said = (self._folder / "output").read_text()[-500:]
                    raise RuntimeError(f"pgbouncer did not start: {said}") from None
                time.sleep(0.05)


class PooledStack(Stack):
    """A stack whose processes reach the database through pgbouncer, but for LISTEN."""

    pooler: Pooler | None = None

    def start_addresses(self) -> dict[str, str]:
        """Start the services and the pooler; return the variables that name them."""
        given = super().start_addresses()
        self.pooler = Pooler(self.dsn)
        self.pooler.start()
        return {**given, "DATABASE_URL": self.pooler.url, "POSTGRES_DIRECT_URL": self.dsn}

    def stop(self) -> None:
        """End everything, the pooler after the processes."""
        try:
            super().stop()
        finally:
            if self.pooler is not None:
                self.pooler.stop()
