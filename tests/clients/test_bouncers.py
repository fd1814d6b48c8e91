"""CrowdSec's bouncers for scripts and for firewalls, as Debian packages them, against the api."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.api import ApiSettings
from consumers.store import keys
from detector.decision import Action, Scope
from tests.api.conftest import PEPPER, SAID, Api, serving
from tests.clients.debian import unpacked
from tests.consumers.road import ROOT, until
from tests.proofs import NotHad

pytestmark = pytest.mark.clients
FIREWALL = "crowdsec-firewall-bouncer"
CUSTOM = "crowdsec-custom-bouncer"
ODD = "odd value; $(touch x)"
NETWORK = ["unshare", "--user", "--map-root-user", "--net"]
INSIDE = ("127.0.0.1", 8080)  # in a network of its own every port is free
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1, (sys.argv[3], 0))"


def configured(api: Api, folder: Path, shown: str, url: str, **other: Any) -> Path:
    """Write a bouncer's configuration as deploy/crowdsec shows it, at other places; it pulls each second."""
    told = {
        "api_url": f"{url}/",
        "api_key": keys.add_bouncer_key(api.engine, "bouncer", SAID, PEPPER).secret,
        "update_frequency": "1s",
        "prometheus": {"enabled": False},
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load((ROOT / "deploy/crowdsec" / shown).read_text()) | told | other))
    return file


@pytest.fixture
def heard(api: Api, tmp_path: Path) -> Iterator[Path]:
    """Run the custom bouncer for clients and tenants; return the file in which its script notes its calls."""
    program = unpacked(CUSTOM, tmp_path) / "usr/bin" / CUSTOM
    heard, script = tmp_path / "heard", tmp_path / "script"
    heard.touch()
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" "$2" "$5" >> {heard}\n')
    script.chmod(0o755)
    asked = {"scopes": ["client_id", "tenant"], "cache_retention_duration": "10s", "piddir": str(tmp_path)}
    config = configured(api, tmp_path, "custom-bouncer.yaml", api.url, bin_path=str(script), **asked)
    with (tmp_path / "log").open("wb") as log, subprocess.Popen([program, "-c", config], stdout=log, stderr=log) as run:
        yield heard
        run.terminate()


def calls(heard: Path) -> list[tuple[str, str, str]]:
    """Return what the script was called with: the verb, the value, and the type that the JSON says."""
    lines = heard.read_text().splitlines()
    return [(verb, value, json.loads(rest)["type"]) for verb, value, rest in zip(*[iter(lines)] * 3, strict=False)]


@pytest.mark.proves(
    "crowdsec-custom-bouncer", "its script is called for each block, milder decision and end of a client"
)
@pytest.mark.proves(
    "crowdsec-custom-bouncer", "a ban within the 10 s in which it ignores what it has heard comes through"
)
def test_a_script_is_called(api: Api, heard: Path) -> None:
    """By value and type, `del` before `add`; addresses, for which it did not ask, are not told."""
    api.decide("192.0.2.7", scope=Scope.IP)
    api.decide(ODD)
    said = [("add", ODD, "ban")]
    until(lambda: calls(heard) == said)
    api.decide("thief")
    said.append(("add", "thief", "ban"))
    until(lambda: calls(heard) == said)
    api.decide("thief", Action.THROTTLE)
    said += [("del", "thief", "ban"), ("add", "thief", "throttle")]
    until(lambda: calls(heard) == said)
    api.decide("thief")
    until(lambda: calls(heard)[-1] == ("add", "thief", "ban"))
    api.lift("thief")
    until(lambda: calls(heard)[-1][:2] == ("del", "thief"))


@dataclass(frozen=True)
class Wall:
    """A network with a firewall, and with the api in it."""

    process: int

    def lets(self, source: str) -> bool:
        """Tell whether a connection from an address of that network reaches the api."""
        enter = ["nsenter", f"--target={self.process}", "--user", "--net", "--preserve-credentials"]
        connect = [sys.executable, "-c", CONNECT, INSIDE[0], str(INSIDE[1]), source]
        return subprocess.run([*enter, *connect], capture_output=True, check=False).returncode == 0


@contextmanager
def apart(program: list[str], log: Path) -> Iterator[tuple[int, socket.socket]]:
    """Run a program in a network of its own; yield its process, and a socket that listens at INSIDE there."""
    here, there = socket.socketpair()
    inside = [*NETWORK, sys.executable, "-m", "tests.clients.inside", str(there.fileno()), str(INSIDE[1]), *program]
    with log.open("wb") as out, here:
        with there:
            run = subprocess.Popen(inside, cwd=ROOT, pass_fds=[there.fileno()], stdout=out, stderr=out)
        _, handed, _, _ = socket.recv_fds(here, 16, 1)
        try:
            if not handed:
                raise NotHad(f"a network of its own cannot be had: {log.read_text().strip()}")
            with socket.socket(fileno=handed[0]) as listener:
                yield run.pid, listener
        finally:
            run.terminate()
            run.wait()


@pytest.fixture
def wall(api: Api, tmp_path: Path) -> Iterator[Wall]:
    """Run the firewall bouncer. Of the api only a socket is in its network; what answers there are our threads."""
    program = unpacked(FIREWALL, tmp_path) / "usr/bin" / FIREWALL
    url = f"http://{INSIDE[0]}:{INSIDE[1]}"
    config = configured(api, tmp_path, "firewall-bouncer.yaml", url, pid_dir=str(tmp_path))
    settings = ApiSettings(api.database, key_pepper=PEPPER)
    with (
        apart([str(program), "-c", str(config)], tmp_path / "log") as (process, listener),
        serving(settings, listener),
    ):
        yield Wall(process)


@pytest.mark.proves(
    "crowdsec-firewall-bouncer", "in a network of its own, nftables drops a blocked address and no other"
)
@pytest.mark.proves("crowdsec-firewall-bouncer", "it hears of no client: one would make it fail for all addresses")
@pytest.mark.proves(
    "crowdsec-firewall-bouncer", "it lets an address through after a milder decision, and after the end"
)
def test_a_firewall_drops(api: Api, wall: Wall) -> None:
    """Real packets, of two addresses, while clients and an IPv6 address are blocked too."""
    thief, other = "127.0.0.7", "127.0.0.8"
    assert wall.lets(thief)
    for value, scope in (("thief", Scope.CLIENT), ("acme", Scope.TENANT), ("2001:db8::7", Scope.IP)):
        api.decide(value, scope=scope)
    api.decide(thief, scope=Scope.IP)
    until(lambda: not wall.lets(thief))
    assert wall.lets(other)
    api.decide(other, scope=Scope.IP)
    until(lambda: not wall.lets(other))
    api.decide(thief, Action.THROTTLE, scope=Scope.IP)
    until(lambda: wall.lets(thief))
    assert not wall.lets(other)
    api.lift(other, Scope.IP)
    until(lambda: wall.lets(other))
