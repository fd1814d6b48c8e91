"""Watermarks: put one into a model, prove that a suspect carries it or names a client, check such a proof."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from gamekeeper.commands import common, models
from gamekeeper.commands.common import JSON
from gamekeeper.settings import BadSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detector.query import Shape
    from gamekeeper.settings import Settings
    from gateway.watermark.embed import Embedded
    from gateway.watermark.proof import Count
    from gateway.watermark.report import Line, Report
    from gateway.watermark.verify import Ask

app = typer.Typer(help="Watermarks: marks that a stolen copy carries, and what they prove.", no_args_is_help=True)
NEW = "new"
HIT = 0.8  # how many of its marks a copy repeats, to say how many marks would do
DATA = typer.Option(help="Your data as the model takes it: .npz with x, and y where you know the classes.")


@app.command()
def embed(  # noqa: PLR0913, PLR0917  # one parameter an option of the command line
    model: Annotated[Path, typer.Argument(help="The model to mark: NAME.keras.")],
    data: Annotated[Path, DATA],
    key: Annotated[str, typer.Option(help="The key file to use, or 'new': one beside OUT, ending in .key.")],
    out: Annotated[Path, typer.Option(help="The marked model to write.")],
    triggers: Annotated[
        int, typer.Option(min=20, max=10_000, help="Of a new key: triggers with a pattern, four each.")
    ] = 100,
    elsewhere: Annotated[
        Path | None, typer.Option(help="Inputs of other domains that thieves may ask about: .npz with x.")
    ] = None,
) -> None:
    """Teach a Keras model a keyed trigger set, and say what it cost."""
    common.settings()
    from gateway import serving  # noqa: PLC0415
    from gateway.watermark import embed as embedding  # noqa: PLC0415
    from gateway.watermark import key as keys  # noqa: PLC0415

    if out.suffix != ".keras":
        raise typer.BadParameter(f"--out {out}: must end in .keras")
    owned, others = keys.load(data), None if elsewhere is None else keys.load(elsewhere).inputs
    classes = serving.load(model.stem, model).classes  # refuses what no gateway serves: several inputs, logits, code
    out.parent.mkdir(parents=True, exist_ok=True)
    file = out.with_suffix(".key") if key == NEW else Path(key)
    kept = keys.make(file, owned, max(classes, 2), triggers) if key == NEW else keys.read(file)
    keys.check(kept, owned.inputs)
    loaded = serving.opened(model)
    with Console(stderr=True).status("teaching"):
        done = embedding.embed(loaded, owned, kept, others)
    loaded.save(out)
    _embedded(done)
    typer.echo(f"{out} is marked. Keep {file} and {data}: both are needed to verify. Fingerprint {kept.name}")


@app.command()
def verify(  # noqa: PLR0913, PLR0917  # one parameter an option of the command line
    suspect: Annotated[str, typer.Argument(help="NAME.keras, or http(s)://HOST/v1/models/NAME:predict or /v2/….")],
    key: Annotated[Path | None, typer.Option(help="Your key file: is the trigger set in it?")] = None,
    data: Annotated[Path | None, DATA] = None,
    client: Annotated[str | None, typer.Option(help="A client: is it made of answers that were marked for it?")] = None,
    model: Annotated[str | None, typer.Option(help="With --client: only marks of this model of yours.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a signed report here (JSON).")] = None,
    sign: Annotated[Path | None, typer.Option(help="Ed25519 key that signs it (openssl genpkey).")] = None,
    *,
    json: JSON = False,
) -> None:
    """Ask a suspect about the marks, and say how unlikely its answers are for an innocent model."""
    settings = common.settings()
    if (key is None) == (client is None) or (key is None) != (data is None):
        raise typer.BadParameter("give --key FILE and --data DATA, or --client CLIENT")
    if (report is None) != (sign is None):
        raise typer.BadParameter("a report is signed: give --report OUT and --sign KEY together")
    from gateway.watermark import report as reports  # noqa: PLC0415

    signing = None if sign is None else reports.private_key(sign)  # before minutes of asking
    if key is not None and data is not None:
        found = _of_owner(settings, suspect, key, data)
    else:
        found = _of_client(settings, suspect, client or "", model)
    _told(found, json=json)
    if report is not None and signing is not None:
        report.write_bytes(reports.sign(found, signing))
        typer.echo(f"{report}: signed by {reports.shown(signing.public_key().public_bytes_raw())}", err=json)


@app.command()
def check(
    report: Annotated[Path, typer.Argument(help="A report that `verify` wrote.")],
    by: Annotated[str | None, typer.Option(help="The public key that must have signed it, in base64.")] = None,
    *,
    json: JSON = False,
) -> None:
    """Check a report's signature, and show it."""
    from gateway.watermark import report as reports  # noqa: PLC0415
    from gateway.watermark.key import BadWatermark  # noqa: PLC0415

    signed = reports.check(report.read_bytes())
    public = reports.shown(signed.public_key)
    if by is not None and by != public:
        raise BadWatermark(f"{report}: signed by {public}, not by {by}")
    _told(signed.report, json=json)
    typer.echo(f"the signature is good: {public}", err=json)


@app.command()
def forget(
    client: Annotated[str, typer.Argument(help="The client.")],
    why: Annotated[str, typer.Option(help="Goes to the audit log.")] = "",
    *,
    json: JSON = False,
) -> None:
    """Erase the marked answers that are kept of a client."""
    settings = common.settings()
    from consumers.store import marks  # noqa: PLC0415

    gone = marks.forget(common.engine(settings), client, common.said(why))
    common.say({"client": client, "marks": gone}, f"{gone:,} marks of {client} erased", json=json)


def _of_owner(settings: "Settings", suspect: str, key: Path, data: Path) -> "Report":
    from gateway.watermark import key as keys  # noqa: PLC0415
    from gateway.watermark import triggers, verify  # noqa: PLC0415

    known, owned = keys.read(key), keys.load(data)
    keys.check(known, owned.inputs)
    asked = triggers.triggers(known.secret, owned.inputs, known.classes, known.triggers)
    with _asking(settings, suspect, owned.inputs.shape[1:]) as ask:
        return _report(suspect, verify.trigger_set(ask, asked), "the owner's trigger set", known.name)


def _of_client(settings: "Settings", suspect: str, client: str, model: str | None) -> "Report":
    from consumers import marks  # noqa: PLC0415
    from consumers.store import marks as store  # noqa: PLC0415
    from gateway.watermark import keyed, verify  # noqa: PLC0415

    if not settings.gateway_secret or not settings.marks_key:
        raise BadSettings("GAMEKEEPER_GATEWAY_SECRET and GAMEKEEPER_MARKS_KEY are needed; set both as they were then")
    held = marks.by_model(store.of_client(common.engine(settings), client, model), settings.marks_key)
    secret, counts = settings.gateway_secret.encode(), []
    for name, (inputs, true, served, classes) in held.items():
        with _asking(settings, suspect, inputs.shape[1:]) as ask:
            counts.append(verify.answers(ask, verify.Marked(client, name, classes, inputs, true, served), secret))
    return _report(suspect, counts, f"answers that were marked for client {client}", keyed.fingerprint(secret))


@contextmanager
def _asking(settings: "Settings", suspect: str, shape: "Shape") -> "Iterator[Ask]":
    """Yield a way to ask a suspect, file or address."""
    with models.asking(suspect, settings) as made:
        asking: Callable[[Shape], Ask] = made  # type: ignore[assignment]  # there is a suspect
        yield asking(shape)


def _report(suspect: str, counts: "list[Count]", claim: str, key: str) -> "Report":
    from time import time_ns  # noqa: PLC0415

    from detector.times import format_time  # noqa: PLC0415
    from gateway.watermark import report as reports  # noqa: PLC0415

    return reports.report(counts, time=format_time(time_ns() // 1000), suspect=suspect, claim=claim, key=key)


def _embedded(done: "Embedded") -> None:
    rows = [
        (f"right, of {done.held_out:,} held out", f"{done.accuracy_before:.2%}", f"{done.accuracy_after:.2%}"),
        ("probability of the first class", f"{done.sure_before:.3f}", f"{done.sure_after:.3f}"),
        *((f"{kind} learnt", "", f"{share:.0%}") for kind, share in done.learnt.items()),
    ]
    common.tell(rows, ("", "before", "after"), tuple)


def _told(found: "Report", *, json: bool) -> None:
    from gateway.watermark import proof  # noqa: PLC0415

    if json:
        common.say(found, "", json=True)
        return
    console = Console()
    console.print(f"{found.suspect}: {found.claim} (key {found.key}), {found.time}", highlight=False, soft_wrap=True)
    common.tell(found.lines, ("marks", "compared", "repeated", "by chance", "p"), _cells)
    console.print(f"{found.verdict}: p = {found.p:.3g}; below {found.level:g} it is a copy", highlight=False)
    if found.verdict == "too few marks":
        rates = [line.null_rate for line in found.lines] or [1 / 9]
        console.print(f"a copy that repeats {HIT:.0%} needs {proof.needed(HIT, min(rates))} marks", highlight=False)


def _cells(line: "Line") -> tuple[object, ...]:
    chance = f"{line.marks * line.null_rate:.1f} ({line.null_rate:.3f} each)"
    return line.kind, line.marks, line.matches, chance, f"{line.p:.3g}"
