"""Detector: the door. The clients of one partition (or one replay): queries in, verdicts out.

A verdict is a function of the client's own queries with the model, in order, of the population, the policy and
what people said of the client. Nothing of batches, other clients, eviction or restarts enters.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from detector import snapshot
from detector.decision import ANY_MODEL, Action
from detector.policy import Policy
from detector.population import Population
from detector.post import Post
from detector.query import Queries
from detector.standing import Standing
from detector.verdict import Feedback, Snapshot, Verdict

STANDINGS: Final = tuple(Standing)


@dataclass(frozen=True, slots=True)
class ClientLine:
    """Where one client stands with one model: a line of `replay --clients`."""

    client: str
    model: str
    queries: int
    standing: Standing
    highest_standing: Standing
    action: Action
    score: float
    leakage: float | None
    first_block_at_query: int | None


class Detector:
    """The clients of one partition, by model."""

    def __init__(self, policy: Policy, populations: Mapping[str, Population]) -> None:
        self.policy = policy
        self._posts: dict[str, Post] = {}
        self._heard = 0  # batches so far: for eviction, never for a verdict
        for population in populations.values():
            self._posts[population.model] = Post(population.model, policy, population)

    @property
    def size(self) -> int:
        """Clients in memory, counted once for each model."""
        return sum(len(post.table) for post in self._posts.values())

    @property
    def slots_bytes(self) -> int:
        """Memory of the slots that hold clients, those set aside too."""
        return sum(post.table.slots_bytes for post in self._posts.values())

    def strangers(self, queries: Queries) -> list[str]:
        """Return the clients of the batch that are not in memory: their snapshots, if any, come first."""
        slots = self._post(queries.model).table.slots
        asked = {queries.clients[client] for client in set(queries.client.tolist())}
        return sorted(client for client in asked if client not in slots)

    def knows(self, client: str, model: str) -> bool:
        """Tell whether the client is in memory: then its snapshot, which may be older, must not be restored."""
        return model in self._posts and client in self._posts[model].table.slots

    def restore(self, snapshots: Iterable[Snapshot]) -> int:
        """Take clients back into memory; return how many of their sections start as unknown, being of another version.

        Raises snapshot.BadSnapshot.
        """
        by_model: dict[str, list[Snapshot]] = {}
        for held in snapshots:
            by_model.setdefault(held.model, []).append(held)
        return sum(self._post(model).restore(held) for model, held in by_model.items())

    def assess(self, queries: Queries) -> list[Verdict]:
        """Take queries of one model in stream order and return the verdicts they lead to, in that order."""
        self._heard += 1
        return self._post(queries.model).assess(queries, self._heard)

    def hear(self, feedback: Feedback) -> list[Verdict]:
        """Take what a person said of a client in memory: all but "true-positive" end its standing."""
        posts = self._posts.values() if feedback.model == ANY_MODEL else [self._post(feedback.model)]
        return [verdict for post in posts for verdict in post.hear(feedback)]

    def adopt(self, population: Population) -> None:
        """Put a population in force: evidence starts afresh; standing, serial, episode and queries stay."""
        before = self._posts.get(population.model)
        after = Post(population.model, self.policy, population)
        if before is not None:
            after.restore(before.everyone(), changed=True)
        self._posts[population.model] = after

    def changed(self) -> list[Snapshot]:
        """Return snapshots of the clients that changed since `saved` was last called."""
        return [held for post in self._posts.values() for held in post.changed()]

    def saved(self) -> None:
        """Note that what `changed` returned is safe."""
        for post in self._posts.values():
            post.table.dirty[:] = False

    def evict(self, keep: int) -> int:
        """Forget the longest idle saved clients until at most `keep` are in memory; return how many went."""
        idle = [(post.table.touched[slot], post, name) for post in self._posts.values() for name, slot in post.clean()]
        idle.sort(key=lambda entry: (entry[0], entry[2]))
        going = idle[: max(self.size - keep, 0)]
        for _, post, name in going:
            post.table.drop(name)
        return len(going)

    def clients(self) -> Iterator[ClientLine]:
        """Return where each client in memory stands, in order of model and first appearance."""
        for post in self._posts.values():
            for name, slot in post.table:
                yield _line(post, name, slot)

    def _post(self, model: str) -> Post:
        if model not in self._posts:
            self._posts[model] = Post(model, self.policy, None)
        return self._posts[model]


def _line(post: Post, name: str, slot: int) -> ClientLine:
    head = post.table.head
    standing = STANDINGS[head["standing"][slot]]
    first = int(head["first_block"][slot])
    return ClientLine(
        client=name,
        model=post.model,
        queries=int(head["queries"][slot]),
        standing=standing,
        highest_standing=STANDINGS[head["highest"][slot]],
        action=post.action(slot, standing),
        score=post.score(slot),
        leakage=post.leakage(slot),
        first_block_at_query=first if first >= 0 else None,
    )


BadSnapshot = snapshot.BadSnapshot
