"""What gateways say of themselves."""

from sqlalchemy import Engine, func
from sqlalchemy.dialects.postgresql import insert

from consumers.store.facts import moment
from consumers.store.schema import gateways
from detector.records import BadRecord, decode_gateway_status
from detector.times import parse_time


def heard(engine: Engine, status: bytes) -> bool:
    """Keep a gateway's latest status, as it came on the topic `gateway_status`. False: it cannot be read."""
    try:
        said = decode_gateway_status(status)
    except BadRecord:
        return False
    row = {
        "applied_decision": None if said.applied is None else said.applied.id,
        "applied_serial": None if said.applied is None else said.applied.serial,
        "decisions": said.decisions,
        "table_age_seconds": said.table_age_seconds,
        "dropped": said.dropped,
        "reported": moment(parse_time(said.time)),
        "heard": func.now(),
    }
    with engine.begin() as connection:
        statement = insert(gateways).values(name=said.gateway, **row)
        newer = gateways.c.reported <= statement.excluded.reported
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row, where=newer))
    return True
