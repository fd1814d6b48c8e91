"""Whether it works: what `gamekeeper doctor` finds without Kafka, processes, partitions, gateways, what is owed."""

from consumers import doctor
from consumers.api.console.kinds import Asked, Page, Told
from consumers.api.house import House
from consumers.doctor.finding import Patient, State
from consumers.store import console, deliveries, vitals
from detector.brokers import Brokers
from detector.topics import Topics

CHECKS = {name: doctor.CHECKS[name] for name in ("schema", "populations", "gateways", "deliveries", "clocks")}
EXPECTED = ("gamekeeper api", "gamekeeper deliver", "gamekeeper detect")


def _tell(house: House, _asked: Asked) -> Told:
    patient = Patient(Brokers(""), house.engine, Topics(), "", 0)  # Kafka's part is for who can reach it
    found = list(doctor.examine(patient, CHECKS))
    bad = sum(finding.state is not State.OK for _, finding in found)
    connected = {line.name: line.connections for line in console.processes(house.engine)}
    return {
        "found": found,
        "bad": bad,
        "processes": {**dict.fromkeys(EXPECTED, 0), **connected},
        "partitions": console.partitions(house.engine),
        "gateways": vitals.gateways(house.engine),
        "owed": sorted(deliveries.counts(house.engine).items()),
    }


PAGE = Page("health", "Health", _tell)
