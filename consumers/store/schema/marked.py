"""The table of marked answers (DAWN): the only one that holds inputs, encrypted, and only once an operator asks."""

from sqlalchemy import Index, Table

from consumers.store.schema.columns import BYTES, INT, JSON, TEXT, TIME, key, metadata, must

marks = Table(
    "marks",
    metadata,
    key("client", TEXT, "who was answered"),
    key("model", TEXT, "the model asked"),
    key("record", BYTES, "the 16 bytes of the query record's id"),
    must("at", TIME, "event time of the record"),
    must("true_label", INT, "the class that the model named"),
    must("served_label", INT, "the class that the client was told"),
    must("classes", INT, "how many classes the model has"),
    must("dtype", TEXT, "of the input's numbers, little endian"),
    must("shape", JSON, "of the input"),
    must("input", BYTES, "the input's numbers, encrypted (Fernet) with GAMEKEEPER_MARKS_KEY"),
    comment="Answers that were changed on purpose, so that a stolen copy names its thief; the newest of each.",
)
Index("ix_marks_client_model_at", marks.c.client, marks.c.model, marks.c.at)
