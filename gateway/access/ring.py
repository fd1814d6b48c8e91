"""The API keys and roles in force, as the compacted topic `keys` or a file says them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from detector.records import ROLE_KEY, Role
from gateway.access.keys import ApiKey, BadKey, read_key
from gateway.access.roles import BUILT_IN, read_role


class _Either(msgspec.Struct):
    """Tells a role from a key: only a role is called something."""

    role: str | None = None


class KeyRing:
    """API keys by hash, and roles by name. One thread changes it; look-ups need no lock."""

    def __init__(self, entries: Iterable[ApiKey | Role] | None = None) -> None:
        self.loaded = entries is not None  # False: nobody is let in
        self._keys: dict[str, ApiKey] = {}
        self._roles: dict[str, Role] = {}
        for entry in entries or ():
            self._put(entry)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, hash_: str) -> ApiKey | None:
        """Return the key with this hash, or None."""
        return self._keys.get(hash_)

    def roles(self, names: Iterable[str]) -> Iterator[Role]:
        """Yield the roles of these names; a name that nobody has defined is none."""
        for name in names:
            found = self._roles.get(name) or BUILT_IN.get(name)
            if found is not None:
                yield found

    def replace(self, other: "KeyRing") -> None:
        """Put a complete set in the place of what was known."""
        self._roles = other._roles  # noqa: SLF001  # before the keys: no key is in force without them
        self._keys = other._keys  # noqa: SLF001  # one of our own
        self.loaded = True

    def take(self, name: str, value: bytes | None) -> None:
        """Take in a record of the topic under its Kafka key; None forgets what had that key. Raises BadKey."""
        if value is None:
            self._forget(name)
            return
        entry = read_entry(value)
        if _name(entry) != _canonical(name):
            raise BadKey("key: the record's key is not the hash or role that it holds")
        self._put(entry)

    def _put(self, entry: ApiKey | Role) -> None:
        if isinstance(entry, Role):
            self._roles[entry.role] = entry
        else:
            self._keys[entry.hash] = entry

    def _forget(self, name: str) -> None:
        if name.startswith(ROLE_KEY):
            self._roles.pop(name.removeprefix(ROLE_KEY), None)
        else:
            self._keys.pop(name.lower(), None)


def read_entry(value: bytes) -> ApiKey | Role:
    """Read an API key or a role (JSON). Raises BadKey."""
    try:
        either = msgspec.json.decode(value, type=_Either)
    except (ValueError, RecursionError) as error:
        raise BadKey(f"not readable: {error}") from error
    return read_key(value) if either.role is None else read_role(value)


def read_file(path: Path) -> list[ApiKey | Role]:
    """Read a file with one key or role a line. Raises BadKey with the line, OSError."""
    entries = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entries.append(read_entry(line.encode()))
        except BadKey as error:
            raise BadKey(f"{path}, line {number}: {error}") from error
    return entries


def _name(entry: ApiKey | Role) -> str:
    return ROLE_KEY + entry.role if isinstance(entry, Role) else entry.hash


def _canonical(name: str) -> str:
    return name if name.startswith(ROLE_KEY) else name.lower()
