"""One reader in its own process: `python -m benchmarks.throughput.worker CORE NAME JSON` prints what it measured."""

import os
import sys

import msgspec

from benchmarks.throughput.measured import Told

if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})  # before any thread is there
    from benchmarks.throughput.peers import PEERS

    measured = PEERS[sys.argv[2]].run(msgspec.json.decode(sys.argv[3], type=Told))
    sys.stdout.buffer.write(msgspec.json.encode(measured) + b"\n")
