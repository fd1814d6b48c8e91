"""Prometheus' own promtool (Debian's) with deploy/prometheus and the questions of deploy/grafana."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.clients.debian import unpacked
from tests.deploy.watching import PROMETHEUS, asked, rules

pytestmark = pytest.mark.clients
STEADY, RISING = "+0x60", "0+50x60"  # for an hour, a sample a minute
AT = "45m"
HEALTHY = {
    'up{job="gamekeeper-detect"}': f"1{STEADY}",
    "gamekeeper_degraded": f"0{STEADY}",
    "gamekeeper_partitions": f"2{STEADY}",
    "gamekeeper_partitions_waiting": f"0{STEADY}",
    'gamekeeper_lag_seconds{partition="0"}': f"1{STEADY}",
    "gamekeeper_records_lost_total": f"0{STEADY}",
    "gamekeeper_poisoned_total": f"0{STEADY}",
    "gamekeeper_unreadable_total": f"0{STEADY}",
    "gamekeeper_queries_read_total": "0+1000x60",
    "gamekeeper_recoveries_total": f"0{STEADY}",
    'gamekeeper_stage_seconds_bucket{stage="checkpoint",le="1.0"}': "0+60x60",
    'gamekeeper_stage_seconds_bucket{stage="checkpoint",le="+Inf"}': "0+60x60",
    'gamekeeper_deliveries_undelivered{channel="webhook:ops",outcome="waiting"}': f"0{STEADY}",
    'gamekeeper_deliveries_undelivered{channel="webhook:ops",outcome="given-up"}': f"0{STEADY}",
    "gamekeeper_gateway_table_age_seconds": f"1{STEADY}",
    "gamekeeper_gateway_log_dropped_rows": f"0{STEADY}",
    "gamekeeper_gateway_models_wrong": f"0{STEADY}",
    "gamekeeper_gateway_limits_lost": f"0{STEADY}",
}
ILL = {  # what another course of a series leads to
    "GamekeeperProcessAway": ('up{job="gamekeeper-detect"}', f"0{STEADY}"),
    "GamekeeperDegraded": ("gamekeeper_degraded", f"1{STEADY}"),
    "GamekeeperNobodyReads": ("gamekeeper_partitions", f"0{STEADY}"),
    "GamekeeperLate": ('gamekeeper_lag_seconds{partition="0"}', "0+60x60"),
    "GamekeeperPartitionsWait": ("gamekeeper_partitions_waiting", f"1{STEADY}"),
    "GamekeeperRecordsLost": ("gamekeeper_records_lost_total", RISING),
    "GamekeeperPoisoned": ("gamekeeper_poisoned_total", RISING),
    "GamekeeperUnreadable": ("gamekeeper_unreadable_total", RISING),
    "GamekeeperRecovers": ("gamekeeper_recoveries_total", RISING),
    "GamekeeperCheckpointsSlow": ('gamekeeper_stage_seconds_bucket{stage="checkpoint",le="10.0"}', "0+120x60"),
    "GamekeeperDeliveriesWait": (
        'gamekeeper_deliveries_undelivered{channel="webhook:ops",outcome="waiting"}',
        f"1{STEADY}",
    ),
    "GamekeeperDeliveriesGivenUp": (
        'gamekeeper_deliveries_undelivered{channel="webhook:ops",outcome="given-up"}',
        f"1{STEADY}",
    ),
    "GamekeeperGatewayTableOld": ("gamekeeper_gateway_table_age_seconds", " ".join(["NaN"] * 60)),
    "GamekeeperGatewayLogDropped": ("gamekeeper_gateway_log_dropped_rows", RISING),
    "GamekeeperGatewayModelsWrong": ("gamekeeper_gateway_models_wrong", f"1{STEADY}"),
    "GamekeeperGatewayLimitsLost": ("gamekeeper_gateway_limits_lost", f"1{STEADY}"),
}
SLOW = {'gamekeeper_stage_seconds_bucket{stage="checkpoint",le="+Inf"}': "0+120x60"}  # half of them


@pytest.fixture(scope="module")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program."""
    return unpacked("prometheus", tmp_path_factory.mktemp("debian")) / "usr/bin/promtool"


def told(*command: str | Path) -> None:
    """Run it; what it finds wrong fails the test."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_is_sound(promtool: Path) -> None:
    """Its syntax, and that of the rules."""
    told(promtool, "check", "config", PROMETHEUS / "prometheus.yml")


def course(alert: str | None) -> dict[str, object]:
    """Return a test of promtool's: an hour in which all is well, but for what leads to `alert`."""
    series = dict(HEALTHY)
    if alert is not None:
        series |= dict([ILL[alert]]) | (SLOW if alert == "GamekeeperCheckpointsSlow" else {})
    samples = [] if alert is None else [{"labels": f'{{alertname="{alert}"}}', "value": 1}]
    firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": AT, "exp_samples": samples}],
    }


def test_each_alert_fires_when_it_should_and_alone(promtool: Path, tmp_path: Path) -> None:
    """And none does while all is well."""
    assert ILL.keys() == rules().keys()
    file = tmp_path / "tests.yml"
    tests = [course(alert) for alert in (None, *ILL)]
    file.write_text(yaml.safe_dump({"rule_files": [str(PROMETHEUS / "rules.yml")], "tests": tests}))
    told(promtool, "test", "rules", file)


def test_panels_ask_in_promql(promtool: Path, tmp_path: Path) -> None:
    """Each question is read by Prometheus' own parser, as rules that record it."""
    questions = [expression.replace("$__rate_interval", "5m") for _, expression in asked("expr")]
    recorded = [{"record": f"panel:{number}", "expr": one} for number, one in enumerate(questions)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    told(promtool, "check", "rules", file)
