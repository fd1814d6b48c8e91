"""Peers: published detectors of model extraction, judged on the very streams that our own detector gets.

A peer is one file here and its lines below. Each has its paper's threshold, and one calibrated on the same past as
ours. Whoever adds one names it here.
"""

from typing import Final

from benchmarks.arena.peers import blacklight, hoda, mmd, prada, seat
from benchmarks.arena.peers.peer import Peer

PEERS: Final[dict[str, Peer]] = {
    peer.name: peer for peer in (prada.PEER, hoda.AFTER_50, hoda.AFTER_100, seat.PEER, blacklight.PEER, mmd.PEER)
}
