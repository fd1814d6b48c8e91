"""Apache Kafka itself on one machine: a single KRaft node, its own folder, free ports."""

import base64
import shutil
import signal
import subprocess
import uuid
from pathlib import Path

from gamekeeper.embedded.jars import Progress, jars, java
from gamekeeper.embedded.server import EmbeddedError, Plan, Server, listens, remembered_port

FORMAT_SECONDS = 120  # 1.6 s as a rule
# C1 only and a small heap: quick to start, about 180 MB, and fast enough for one machine
JVM = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={logs}
num.partitions=8
auto.create.topics.enable=false
offsets.topic.num.partitions=8
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=8388608
"""


def start_kafka(
    folder: Path, cache: Path, progress: Progress, options: tuple[str, ...] = (), logins: tuple[str, ...] = ()
) -> Server:
    """Start Kafka on `folder` with what it held before; `url` of the result is its bootstrap server.

    The jars come from `cache`. `options` are further lines of its properties, in which {port} and {controller} stand
    for its ports; `logins` are made with the folder, as kafka-storage's --add-scram takes them. Raises EmbeddedError.
    """
    classpath = f"{jars(cache, progress)}/*"
    progress("starting Kafka", 0.0)
    folder.mkdir(parents=True, exist_ok=True)
    _fresh_tmp(folder)
    port = _configure(folder, options)
    _format(folder, classpath, logins)
    server = Server(_plan(folder, classpath, port), f"127.0.0.1:{port}")
    server.start()
    progress("starting Kafka", 1.0)
    return server


def _fresh_tmp(folder: Path) -> None:
    shutil.rmtree(folder / "tmp", ignore_errors=True)  # native libraries that a killed Java left
    (folder / "tmp").mkdir()


def _configure(folder: Path, options: tuple[str, ...]) -> int:
    port = remembered_port(folder / "port")
    controller = remembered_port(folder / "controller-port")
    lines = PROPERTIES + "".join(f"{option}\n" for option in options)  # of a name given twice the last counts
    file = folder / "server.properties"
    file.touch(mode=0o600)  # options may hold passwords
    file.write_text(lines.format(port=port, controller=controller, logs=folder / "logs"))
    return port


def _format(folder: Path, classpath: str, logins: tuple[str, ...]) -> None:
    if (folder / "logs" / "meta.properties").exists():
        return
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    shutil.rmtree(folder / "logs", ignore_errors=True)  # a format that was cut short
    tool = [
        "kafka.tools.StorageTool",
        "format",
        f"--cluster-id={cluster}",
        "-c",
        "server.properties",
        "--ignore-formatted",
        *(f"--add-scram={login}" for login in logins),
    ]
    result = subprocess.run(  # noqa: S603  # the Java that came with the extra
        [*_java(folder, classpath), *tool],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=FORMAT_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        raise EmbeddedError(f"Kafka cannot prepare {folder}: {(result.stderr or result.stdout).strip()[-300:]}")


def _java(folder: Path, classpath: str) -> list[str]:
    # an absolute -D path: the JVM unpacks its native libraries there, and /tmp may be mounted noexec
    quiet = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", f"-Djava.io.tmpdir={folder.resolve() / 'tmp'}")
    return [str(java()), *JVM, *quiet, "-cp", classpath]


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(folder)}


def _plan(folder: Path, classpath: str, port: int) -> Plan:
    return Plan(
        name="Kafka",
        command=(*_java(folder, classpath), "kafka.Kafka", "server.properties"),
        folder=folder,
        environment=_environment(folder),
        stop=signal.SIGTERM,
        answers=lambda: listens(port),
    )
