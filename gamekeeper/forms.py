"""The forms that the text of a setting may have. Each function raises ValueError with what would be right."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

Named = tuple[tuple[str, str], ...]  # (name, URL)
Days = tuple[tuple[str, int], ...]  # (table, days)
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
DATABASE = re.compile(
    r"(?P<start>postgresql(\+\w+)?://[^:/@]*)(?P<password>:[^@]*(?=@))?(?P<rest>@?[^/?@]*/[^?]+)(?P<options>\?.*)?"
)
FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
SECRET_CHARS = 32
SIGNING_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{32,}={0,2}")


def text(value: str) -> str:
    """Take anything."""
    return value


def matching(pattern: str, what: str) -> Callable[[str], str]:
    """Return a form that must match all of `pattern`."""

    def parse(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must be {what}")
        return value

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """Return a form that is one of `words`, in their letters' case."""
    return matching("|".join(map(re.escape, words)), f"{', '.join(words[:-1])} or {words[-1]}")


def name(value: str) -> str:
    """Take a short name."""
    if not NAME.fullmatch(value):
        raise ValueError("must be a short name: letters, digits, dash and underscore")
    return value


header = matching(r"[A-Za-z0-9-]{0,64}", "a header's name: letters, digits and dash")


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a form for whole numbers from `least` to `most`."""

    def parse(value: str) -> int:
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(value)

    return parse


port = whole(0, 65_535)


def port_or_none(value: str) -> int | None:
    """Take a port, or nothing."""
    return port(value) if value else None


def seconds(value: str) -> float:
    """Take a duration in seconds."""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0.01 <= number <= 3600:  # noqa: PLR2004  # what the message says
        raise ValueError("must be seconds from 0.01 to 3600")
    return number


def yes(value: str) -> bool:
    """Take yes or no."""
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if value.lower() not in words:
        raise ValueError("must be yes or no")
    return words[value.lower()]


def servers(value: str) -> str:
    """Take Kafka's bootstrap servers, or nothing."""
    for server in filter(None, value.split(",")):
        host, colon, digits = server.strip().rpartition(":")
        if not (host and colon and digits.isdigit()):
            raise ValueError("must be host:port, several of them with commas between")
    return value


def database(value: str) -> str:
    """Take a URL of Postgres in SQLAlchemy's form, or nothing."""
    if value and not DATABASE.fullmatch(value):
        raise ValueError("must look like postgresql+psycopg2://user:password@host:5432/database")
    return value


def without_password(url: str) -> str:
    """Return a database's URL as people may see it; options may hold secrets too."""
    match = DATABASE.fullmatch(url)
    if match is None:
        return "***"
    return match["start"] + (":***" if match["password"] else "") + match["rest"] + ("?…" if match["options"] else "")


def named(value: str) -> Named:
    """Take name=URL, several with commas between, or nothing."""
    pairs = [part.strip().partition("=")[::2] for part in value.split(",") if part.strip()]
    for called, url in pairs:
        if not (NAME.fullmatch(called) and _is_web(url)):
            raise ValueError("must be name=https://…, several of them with commas between")
    if len({called for called, _ in pairs}) < len(pairs):
        raise ValueError("must not name two the same")
    return tuple((called, url) for called, url in pairs)


def days(value: str) -> Days:
    """Accept table=days pairs, each table once. Raises ValueError."""
    pairs = tuple(part.strip().partition("=") for part in value.split(",") if part.strip())
    wrong = any(not re.fullmatch(r"[1-9][0-9]{0,4}", number) for _, _, number in pairs)
    if wrong or len({table for table, _, _ in pairs}) < len(pairs):
        raise ValueError("must be table=days with days from 1 to 99999, several with commas between, none twice")
    return tuple((table, int(number)) for table, _, number in pairs)


def web(value: str) -> str:
    """Take a web address, or nothing."""
    if value and not _is_web(value):
        raise ValueError("must be https://…")
    return value


def _is_web(url: str) -> bool:
    try:
        at = urlsplit(url)
        return at.scheme in {"http", "https"} and bool(at.hostname) and at.port != 0
    except ValueError:  # half an IPv6 address, a port that is none
        return False


def without_paths(value: str) -> str:
    """Return name=URL pairs as people may see them: users, passwords, paths and queries of URLs may be secrets."""
    return ",".join(f"{called}={without_path(url)}" for called, url in named(value))


def without_path(url: str) -> str:
    """Return a URL as people may see it: its scheme and host."""
    at = urlsplit(url)
    return f"{at.scheme}://{at.netloc.rpartition('@')[2]}/…"


def signing_secret(value: str) -> str:
    """Take a Standard Webhooks secret, or nothing."""
    if value and not SIGNING_SECRET.fullmatch(value):
        raise ValueError("must be whsec_ and at least 24 bytes as base64 (openssl rand -base64 32)")
    return value


def fernet_key(value: str) -> str:
    """Take a Fernet key (32 bytes as URL-safe base64), or nothing."""
    if value and not FERNET_KEY.fullmatch(value):
        raise ValueError("must be 32 bytes as URL-safe base64 (openssl rand -base64 32 | tr +/ -_)")
    return value


def long_secret(value: str) -> str:
    """Take a secret that cannot be guessed, or nothing."""
    if value and len(value) < SECRET_CHARS:
        raise ValueError(f"must be {SECRET_CHARS} characters or more (openssl rand -hex 32)")
    return value


def path(value: str) -> Path:
    """Take a path, ~ included."""
    return Path(value).expanduser()


def existing_file(value: str) -> Path | None:
    """Take the path of a file that is there, or nothing."""
    if value and not path(value).is_file():
        raise ValueError("must name a file that exists")
    return path(value) if value else None


def existing_folder(value: str) -> Path | None:
    """Take the path of a folder that is there, or nothing."""
    if value and not path(value).is_dir():
        raise ValueError("must name a folder that exists")
    return path(value) if value else None
