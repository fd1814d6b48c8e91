"""The keys of one issuer, kept in memory by a thread: no request ever waits for the issuer.

PyJWT's own client fetches and reads them (no redirects, http and https only). It isn't asked from requests: it would
fetch there, forget its keys when they are old and the issuer away, and ask again at every request until it answers.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import jwt
import structlog

_log = structlog.get_logger("gateway.access")
# Of a bad answer, too: keys with members of odd types pass PyJWT's own checks.
_FAILURES = (jwt.PyJWTError, OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError)


@dataclass
class KeySet:
    """The thread and what it knows. Old keys stay in force while the issuer is away or answers nonsense."""

    url: str
    every: float = 300.0  # s; a key that the issuer takes away is in force this much longer
    apart: float = 10.0  # s at least between two fetches, whatever tokens name
    timeout: float = 5.0  # s
    keys: Mapping[str, jwt.PyJWK] = field(default_factory=dict)  # by their id
    why: str = ""  # why the last fetch failed, if it did
    fetches: int = 0
    _wanted: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def find(self, kid: str) -> jwt.PyJWK | None:
        """Return the key with this id, or None: then the issuer is asked soon, for it may have new ones."""
        found = self.keys.get(kid)
        if found is None:
            self._wanted.set()
        return found

    def start(self) -> None:
        """Begin to fetch."""
        self._thread = threading.Thread(target=self._run, name="jwks", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 0.5) -> None:
        """End the thread, which may hang on a slow issuer: wait at most `seconds`."""
        self._stop.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wanted.clear()
            self._fetch()
            self._stop.wait(self.apart)
            if not self.why and not self._stop.is_set():
                self._wanted.wait(self.every)

    def _fetch(self) -> None:
        self.fetches += 1
        try:
            found = jwt.PyJWKClient(self.url, cache_jwk_set=False, timeout=self.timeout).get_signing_keys()
        except _FAILURES as error:
            why = str(error) or type(error).__name__
            if why != self.why:
                _log.warning("keys of an issuer not fetched", url=self.url, why=why)
            self.why = why
        else:
            self.keys = {key.key_id: key for key in found if isinstance(key.key_id, str)}
            self.why = ""
