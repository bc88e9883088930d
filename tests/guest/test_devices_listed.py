"""`awaitd devices` on a machine with CAN interfaces."""

import json

from can_peers import ip


def listed(run_daemon) -> dict[str, dict]:
    process = run_daemon("devices", "--json")
    assert process.finish() == 0, process.stderr
    return {it["name"]: it for it in json.loads(process.stdout)}


def test_vcan_is_listed_with_what_to_paste(run_daemon):
    found = listed(run_daemon)["vcan0"]
    assert found["kind"] == "can"
    assert found["up"] is True
    assert found["fd"] is True
    assert found["may_open"] is True
    assert found["device"] == "vcan0=can:vcan0"


def test_what_is_pasted_opens(run_daemon, tmp_path):
    device = listed(run_daemon)["vcan0"]["device"]
    script = tmp_path / "script.py"
    script.write_text("from awaitd.devices import vcan0\nprint(vcan0)\n")
    process = run_daemon("run", "-d", device, script)
    assert process.finish() == 0, process.stderr


def test_an_interface_that_is_down_says_how_to_take_it_up(
    run_daemon, spare_interface
):
    ip("link", "set", spare_interface, "down")
    found = listed(run_daemon)[spare_interface]
    assert found["up"] is False
    assert found["advice"] == (
        f"it is down: `ip link set {spare_interface} up`"
    )
