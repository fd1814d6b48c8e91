"""A detector with a fault, for the test of what happens then."""

from detector.detector import Detector
from detector.query import Queries
from detector.verdict import Verdict
from tests.consumers.worker import POISON


class Fragile(Detector):
    """Fails at every query of one client."""

    def assess(self, queries: Queries) -> list[Verdict]:
        """Fail wherever the client takes part."""
        if POISON in {queries.clients[client] for client in queries.client.tolist()}:
            raise ZeroDivisionError("a fault of ours")
        return super().assess(queries)
