"""Wire: bytes to facts. Both forms of the query record become `Queries`; what cannot, `Unreadable`.

No record raises: every prediction is either a row of `Decoded.queries` or one of `Decoded.unreadable`.
"""

from detector.wire.batch_writer import encode_batch, frame
from detector.wire.decode import decode, shapes_seen
from detector.wire.facts import HEAD_BYTES, RECORD_BYTES_MAX, Decoded, RawRecord, Unreadable
from detector.wire.ids import id_bytes, label_code

__all__ = [
    "HEAD_BYTES",
    "RECORD_BYTES_MAX",
    "Decoded",
    "RawRecord",
    "Unreadable",
    "decode",
    "encode_batch",
    "frame",
    "id_bytes",
    "label_code",
    "shapes_seen",
]
