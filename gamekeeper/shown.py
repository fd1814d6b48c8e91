"""Settings as people may see them: every one, with its value and where that came from, secrets hidden."""

from collections.abc import Mapping
from dataclasses import dataclass

from gamekeeper import forms
from gamekeeper.settings import SETTINGS, BadSettings, Setting, parsed, raw


@dataclass(frozen=True, slots=True)
class Value:
    """What a setting holds and where that came from, for people: secrets are hidden."""

    name: str
    shown: str
    origin: str
    meaning: str


HIDDEN = {  # how much of a secret is shown; of the others only that they are set
    "DATABASE_URL": forms.without_password,
    "GAMEKEEPER_WEBHOOKS": forms.without_paths,
    "GAMEKEEPER_PUSH": forms.without_paths,
}


def values(environ: Mapping[str, str] | None = None) -> list[Value]:
    """Return every setting as people may see it, wrong ones too."""
    return [_shown(setting, environ) for setting in SETTINGS]


def _shown(setting: Setting, environ: Mapping[str, str] | None) -> Value:
    try:
        text, origin = raw(setting, environ)
        parsed(setting, text)
    except BadSettings as error:
        return Value(setting.name, str(error), "WRONG", setting.meaning)
    return Value(setting.name, _hidden(setting, text), origin, setting.meaning)


def _hidden(setting: Setting, text: str) -> str:
    if not setting.secret or not text:
        return text
    return HIDDEN[setting.name](text) if setting.name in HIDDEN else "***"
