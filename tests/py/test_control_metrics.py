"""Metrics, as a strict parser of Prometheus's and OpenMetrics' text sees
them."""

from __future__ import annotations

import http.client
import math
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from control import WAIT, control, wait_until  # noqa: F401
from hosted import host  # noqa: F401
from ports import free_port

pytest.importorskip("prometheus_client")
from prometheus_client import parser as prometheus  # noqa: E402
from prometheus_client.openmetrics import parser as openmetrics  # noqa: E402

pytestmark = pytest.mark.daemon

ROOT = Path(__file__).resolve().parents[2]

LOSES = """
    import asyncio, awaitd
    from awaitd.devices import bus
    q = bus.queue(name="fast", depth=4)
    for n in range(6):
        await bus.send(awaitd.CanFrame(0x100 + n))
    while q.stats().received < 6:
        await asyncio.sleep(0)
    await q.get()
    print("ready", flush=True)
    await asyncio.Event().wait()
"""
ECHO = ("bus=virtual:can,receive_own=yes",)
LABELS = {"device": "bus", "queue": "fast", "script": "script"}


@pytest.fixture
def promtool() -> str:
    """Prometheus's own judge: where `./run setup` puts it, or on the path."""
    folders = f"{ROOT / 'build-tools'}:{os.environ['PATH']}"
    found = shutil.which("promtool", path=folders)
    if not found:
        pytest.skip("promtool is not there: ./run setup fetches it")
    return found


def samples(families) -> dict:
    return {
        (it.name, tuple(sorted(it.labels.items()))): it.value
        for family in families
        for it in family.samples
    }


def of(found: dict, name: str, **labels) -> float:
    return found["awaitd_" + name, tuple(sorted(labels.items()))]


def check(found: dict) -> None:
    assert of(found, "queue_received_frames_total", **LABELS) == 6
    assert of(found, "queue_delivered_frames_total", **LABELS) == 1
    assert of(found, "queue_pending_frames", **LABELS) == 3
    assert of(found, "queue_depth_frames", **LABELS) == 4
    dropped = "queue_dropped_frames_total"
    assert of(found, dropped, cause="overflow", **LABELS) == 2
    assert of(found, dropped, cause="kernel", **LABELS) == 0
    device = {"device": "bus", "driver": "virtual"}
    assert of(found, "device_up", **device) == 1
    sent = "device_sent_frames_total"
    assert of(found, sent, result="sent", **device) == 6
    assert of(found, "ledger_exact") == 1


def test_metrics_are_prometheus_text(control):
    control.start(LOSES, devices=ECHO)
    text = control.connect().get("metrics")["text"]
    check(samples(prometheus.text_string_to_metric_families(text)))


def test_metrics_are_openmetrics_text(control):
    control.start(LOSES, devices=ECHO)
    answer = control.connect().get("metrics", openmetrics=True)
    assert answer["type"].startswith("application/openmetrics-text")
    families = list(openmetrics.text_string_to_metric_families(answer["text"]))
    check(samples(families))
    assert {family.type for family in families} == {
        "counter",
        "gauge",
        "histogram",
    }
    assert all(family.documentation for family in families)


def test_metrics_keep_the_rules_that_promtool_has(control):
    """Help and type before the samples, each family once, counters end in
    _total, base units in full."""
    control.start(LOSES, devices=ECHO)
    text = control.connect().get("metrics")["text"]
    typed: dict[str, str] = {}
    for line in text.splitlines():
        if found := re.fullmatch(
            r"# TYPE (\S+) (counter|gauge|histogram)", line
        ):
            assert found[1] not in typed
            typed[found[1]] = found[2]
            assert f"# HELP {found[1]} " in text
        elif not line.startswith("#"):
            name = re.match(r"[a-z_]+", line)[0]
            family, kind = list(typed.items())[-1]
            if kind == "histogram":
                name = re.sub("_(bucket|sum|count)$", "", name)
            assert name == family
            assert (kind == "counter") == name.endswith("_total")
            assert not re.search(r"_(ns|ms|s|kb)(_|$)", name)


def test_metrics_please_promtool(control, promtool):
    control.start(LOSES, devices=ECHO)
    text = control.connect().get("metrics")["text"]
    result = subprocess.run(
        [promtool, "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, ""), result.stdout


def test_promtool_finds_a_fault(promtool):
    result = subprocess.run(
        [promtool, "check", "metrics"],
        input="# TYPE awaitd_things gauge\nawaitd_things_total 1\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode != 0


# Twenty frames that a task slept for, and one that nobody has taken.
WAITS = """
    import asyncio, awaitd
    from awaitd.devices import bus
    q = bus.queue(name="fast")
    for n in range(20):
        waiting = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        await bus.send(awaitd.CanFrame(0x100))
        await waiting
    await bus.send(awaitd.CanFrame(0x100))
    while q.stats().received < 21:
        await asyncio.sleep(0)
    print("ready", flush=True)
    await asyncio.Event().wait()
"""


def test_metrics_have_a_histogram_of_each_stage(control):
    control.start(WAITS, devices=ECHO)
    text = control.connect().get("metrics")["text"]
    found = samples(prometheus.text_string_to_metric_families(text))
    name = "queue_latency_seconds"
    for stage, count in (("ring", 21), ("script", 20)):
        labels = LABELS | {"stage": stage}
        assert of(found, name + "_count", **labels) == count
        assert of(found, name + "_bucket", le="+Inf", **labels) == count
        assert of(found, name + "_sum", **labels) > 0
        unplaced = of(found, "queue_unplaced_frames_total", **labels)
        assert unplaced == 0


def test_histograms_rise_from_range_to_range(control):
    control.start(WAITS, devices=ECHO)
    text = control.connect().get("metrics")["text"]
    rows: dict[str, list[tuple[float, float]]] = {}
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+_bucket\{.*),le=\"(\S+)\"\} (\d+)", line)
        if found:
            rows.setdefault(found[1], []).append(
                (float(found[2]), float(found[3]))
            )
    assert len(rows) == 3  # two stages, and the turns of a loop
    for row in rows.values():
        assert row == sorted(row) and len({end for end, _ in row}) == len(row)
        assert [count for _, count in row] == sorted(c for _, c in row)


def ranges(text: str, name: str, **labels) -> dict[float, float]:
    """What a histogram has below each end, in nanoseconds."""
    return {
        float(it["le"]) * 1e9: count
        for (sample, pairs), count in samples(
            prometheus.text_string_to_metric_families(text)
        ).items()
        for it in [dict(pairs)]
        if sample == f"awaitd_{name}_bucket"
        and it == labels | {"le": it["le"]}
    }


def below(buckets: list, end_ns: float) -> int:
    """The same of the protocol's."""
    return sum(
        count
        for end, count in buckets
        if (math.inf if end is None else end) <= end_ns * 1.000001
    )


@pytest.mark.parametrize("stage", ["ring", "script"])
def test_metrics_have_frames_in_the_ranges_that_queues_tells(control, stage):
    control.start(WAITS, devices=ECHO)
    client = control.connect()
    (queue,) = client.get("queues")["queues"]
    buckets = queue["latency"][stage]["buckets"]
    text = client.get("metrics")["text"]
    found = ranges(text, "queue_latency_seconds", **LABELS, stage=stage)
    assert len(found) == 26
    for end_ns, count in found.items():
        assert count == below(buckets, end_ns)


def test_metrics_have_turns_in_the_ranges_that_scripts_tells(control):
    control.start(WAITS, devices=ECHO)
    client = control.connect()
    # The last turn ends when the script waits.
    wait_until(lambda: not turns_of(client)["now_s"])
    buckets = turns_of(client)["buckets"]
    found = ranges(
        client.get("metrics")["text"], "script_turn_seconds", script="script"
    )
    assert len(found) == 25 and found[math.inf] > 0
    for end_ns, count in found.items():
        assert count == below(buckets, end_ns)


def turns_of(client) -> dict:
    return client.get("scripts")["scripts"][0]["turns"]


def test_metrics_tell_of_scripts(control):
    control.start(WAIT, devices=ECHO, config="stall_ms: 60000\n")
    text = control.connect().get("metrics")["text"]
    found = samples(prometheus.text_string_to_metric_families(text))
    script = {"script": "script"}
    assert of(found, "script_running", **script) == 1
    assert of(found, "script_stalls_total", **script) == 0
    assert of(found, "script_restarts_total", **script) == 0
    failed = of(found, "script_reloads_total", result="failed", **script)
    assert failed == 0
    assert of(found, "script_turn_seconds_count", **script) >= 0


def test_metrics_escape_what_labels_hold(control):
    name = 'a"b\\c'
    control.start(
        f"""
        import asyncio
        from awaitd.devices import bus
        q = bus.queue(name={name!r})
        print("ready", flush=True)
        await asyncio.Event().wait()
        """
    )
    text = control.connect().get("metrics")["text"]
    found = samples(prometheus.text_string_to_metric_families(text))
    labels = {"device": "bus", "queue": name, "script": "script"}
    assert of(found, "queue_open", **labels) == 1


def test_metrics_of_a_name_that_comes_again_go_on(control):
    control.start(
        """
        import asyncio, awaitd
        from awaitd.devices import bus
        for _ in range(3):
            with bus.queue(name="again") as q:
                await bus.send(awaitd.CanFrame(0x100))
                await q.get()
        print("ready", flush=True)
        await asyncio.Event().wait()
        """,
        devices=ECHO,
    )
    text = control.connect().get("metrics")["text"]
    found = samples(prometheus.text_string_to_metric_families(text))
    labels = {"device": "bus", "queue": "again", "script": "script"}
    assert of(found, "queue_delivered_frames_total", **labels) == 3
    assert of(found, "queue_open", **labels) == 0


# ---- over HTTP ----


@pytest.fixture
def web(control):
    """get(path, …) -> (status, type, text)"""
    port = free_port(socket.SOCK_STREAM)
    control.start(
        LOSES,
        devices=ECHO,
        config=f'metrics: {{listen: "127.0.0.1:{port}"}}\n',
    )

    def get(path="/metrics", method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.getheader("Content-Type"), text

    get.port = port
    return get


def test_http_serves_prometheus_text(web):
    status, kind, text = web()
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    check(samples(prometheus.text_string_to_metric_families(text)))


def test_http_serves_openmetrics_to_who_asks_for_it(web):
    status, kind, text = web(
        Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    )
    assert status == 200
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    check(samples(openmetrics.text_string_to_metric_families(text)))


def test_http_has_nothing_else(web):
    assert web("/")[0] == 404
    assert web("/metrics/../etc")[0] == 404
    assert web(method="POST")[0] == 405
    assert web(method="HEAD") == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        "",
    )


def test_http_serves_beside_those_who_say_nothing(web):
    silent = [
        socket.create_connection(("127.0.0.1", web.port)) for _ in range(8)
    ]
    silent[0].sendall(b"GET /metr")
    assert web()[0] == 200
    for connection in silent:
        connection.close()


def test_http_address_that_is_taken_exits_69(control):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = control.start(
            config=f'metrics: {{listen: "127.0.0.1:{port}"}}\n', ready=None
        )
        assert process.finish() == 69
    assert f"cannot listen at 127.0.0.1:{port}" in process.stderr


def test_http_address_that_is_none_exits_78_with_its_line(control):
    process = control.start(config="metrics: {listen: nowhere}\n", ready=None)
    assert process.finish() == 78
    assert "control.yaml:1: metrics.listen: " in process.stderr
