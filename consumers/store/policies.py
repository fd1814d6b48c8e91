"""Policy versions that were ever in force, so that a verdict's policy can be looked up."""

import msgspec
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert

from consumers.store.schema import policies
from detector.policy import Policy


def put(engine: Engine, policy: Policy) -> str:
    """Keep the policy and return its version."""
    row = {"version": policy.version, "content": msgspec.json.encode(policy, order="deterministic").decode()}
    with engine.begin() as connection:
        connection.execute(insert(policies).values(row).on_conflict_do_nothing())
    return policy.version
