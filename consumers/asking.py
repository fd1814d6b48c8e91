"""Asking: a model behind an HTTP address, in the predict forms of KServe V1 (as TensorFlow Serving) and V2."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec
import numpy as np
import numpy.typing as npt

from detector.learning import Ask
from detector.query import Shape

ROWS: Final = 256  # inputs of one request
NUMBERS: Final = 1 << 18  # input numbers of one request, about 5 MiB of JSON: gateways bound a body
TRIES: Final = 5  # of one request
TIMEOUT_SECONDS: Final = 60.0  # for one answer
PAUSE_SECONDS: Final = 0.5  # before the second try; twice as long before each later one
PAUSE_SECONDS_MAX: Final = 30.0  # however long the other side asks us to wait
_LATER: Final = frozenset({408, 425, 429, 502, 503, 504})  # ask again; any other refusal is for good
_HINTS: Final[Mapping[int, str]] = {
    401: "; set GAMEKEEPER_MODEL_KEY to an API key that it takes",
    403: "; is the client of this key blocked? `gamekeeper allow CLIENT`",
    404: "; does it serve this model under this name?",
    429: "; does a rate limit hold for this key?",
}
_V1: Final = re.compile(r"(?P<model>.*/v1/models/[^/:]+)(:predict)?")
_V2: Final = re.compile(r"(?P<model>.*/v2/models/[^/]+(/versions/[^/]+)?)(/infer)?")

Floats = npt.NDArray[np.float32]


class Unanswered(RuntimeError):  # noqa: N818  # named for what it says to the operator
    """A model that did not answer as needed; the message says which, how and what to do."""

    for_people = True  # the command line prints the message as it is


@dataclass(frozen=True, slots=True)
class Form:
    """One predict form: where to post, and how inputs [n, *shape] and answers [n, K] are written."""

    url: str
    write: Callable[[Floats], Any]
    read: Callable[[Any], Any]


@contextmanager
def over_http(url: str, key: str = "") -> Iterator[Callable[[Shape], Ask]]:
    """Yield what makes, for the shape of one input, a function that asks the model at `url`.

    `url` is `http(s)://…/v1/models/NAME[:predict]` or `…/v2/models/NAME[/infer]`; `key` goes as `Authorization:
    Bearer`. No redirect is followed: the key goes to this address alone. Raises Unanswered.
    """
    model, version = _address(url)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    with httpx.Client(timeout=TIMEOUT_SECONDS, headers=headers, follow_redirects=False, trust_env=False) as client:
        form = _v1(model) if version == 1 else _v2(model, _decoded(_sent(client, "GET", model), model))

        def asking(shape: Shape) -> Ask:
            return lambda inputs: _asked(client, form, inputs.reshape(-1, *shape))

        yield asking


def _address(url: str) -> tuple[str, int]:
    """Return the model's address and the version of its form."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise Unanswered(f"{url}: not an address such as http://HOST/v1/models/NAME:predict")
    if "@" in parts.netloc:
        raise Unanswered(f"--model: no password in the address of {parts.hostname}; set GAMEKEEPER_MODEL_KEY")
    for version, pattern in enumerate((_V1, _V2), 1):
        if found := pattern.fullmatch(parts.path.rstrip("/")):
            return f"{parts.scheme}://{parts.netloc}{found['model']}", version
    raise Unanswered(f"{url}: ends in neither /v1/models/NAME:predict nor /v2/models/NAME/infer")


def _v1(model: str) -> Form:
    return Form(
        f"{model}:predict",
        lambda inputs: {"instances": inputs.tolist()},
        lambda answer: answer["predictions"],
    )


def _v2(model: str, metadata: Any) -> Form:
    """Return the form of V2, in which a tensor is named as the server names it."""
    try:
        name = str(metadata["inputs"][0]["name"])
    except (LookupError, TypeError) as error:
        raise Unanswered(f"{model}: names no input; is it a model of the Open Inference Protocol?") from error

    def write(inputs: Floats) -> Any:
        tensor = {"name": name, "shape": list(inputs.shape), "datatype": "FP32", "data": inputs.ravel().tolist()}
        return {"inputs": [tensor]}

    def read(answer: Any) -> Any:
        tensor = answer["outputs"][0]
        return np.asarray(tensor["data"], np.float64).reshape(tensor["shape"])

    return Form(f"{model}/infer", write, read)


def _asked(client: httpx.Client, form: Form, inputs: Floats) -> Floats:
    step = max(1, min(ROWS, NUMBERS // max(inputs[0].size, 1)))
    return np.concatenate([_answered(client, form, inputs[at : at + step]) for at in range(0, len(inputs), step)])


def _answered(client: httpx.Client, form: Form, inputs: Floats) -> Floats:
    answer = _decoded(_sent(client, "POST", form.url, msgspec.json.encode(form.write(inputs))), form.url)
    try:
        given = np.asarray(form.read(answer), np.float32)
    except (LookupError, TypeError, ValueError) as error:
        raise Unanswered(f"{form.url}: answers without rows of probabilities; is it a classification model?") from error
    given = given[:, None] if given.ndim == 1 else given  # one score an input
    if given.ndim != 2 or len(given) != len(inputs):  # noqa: PLR2004  # rows, classes
        raise Unanswered(f"{form.url}: answers {len(inputs)} inputs with numbers of shape {given.shape}")
    return given


def _decoded(body: bytes, url: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise Unanswered(f"{url}: the answer is not JSON; is it a model's address?") from error


def _sent(client: httpx.Client, method: str, url: str, body: bytes | None = None) -> bytes:
    """Return the body of a 200, after at most TRIES tries. Raises Unanswered."""
    wait, said = PAUSE_SECONDS, ""
    for left in reversed(range(TRIES)):
        pause = wait
        try:
            response = client.request(method, url, content=body)
        except httpx.TransportError as error:
            said = f"no answer ({type(error).__name__}); does it run, and is the address right?"
        else:
            if response.status_code == httpx.codes.OK:
                return response.content
            said = _refusal(response)
            if response.status_code not in _LATER:
                break
            asked = response.headers.get("Retry-After", "")
            pause = float(asked) if asked.isdecimal() else wait
        if left:
            time.sleep(min(pause, PAUSE_SECONDS_MAX))
        wait *= 2
    raise Unanswered(f"{url}: {said}")


def _refusal(response: httpx.Response) -> str:
    text = " ".join(response.text.split())[:200]
    return f"answers {response.status_code} ({text}){_HINTS.get(response.status_code, '')}"
