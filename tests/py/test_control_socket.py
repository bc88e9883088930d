"""The control socket: where it is, whose it is, who may use it."""

from __future__ import annotations

import grp
import json
import os
import signal
import socket
import stat

import others
import pytest
from ask_as import ask_as, let_in
from control import WAIT, Client, control  # noqa: F401
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

STATUS = '{"command": "status"}'
SEND = '{"command": "send", "device": "bus", "frame": "123#01"}'


def test_others_cannot_connect_without_groups(control):
    control.start()
    assert stat.S_IMODE(control.path.stat().st_mode) == 0o600
    assert ask_as(control, STATUS) == ["cannot connect"]


def test_others_are_told_that_they_may_not(control):
    control.start(config="control: {read_group: 4242}\n")
    assert ask_as(control, STATUS) == ["permission"]


def test_read_group_may_look_and_not_send(control):
    control.start(config="control: {read_group: 4242}\n")
    answers = ask_as(control, STATUS, SEND, gid=4242)
    assert answers == ["yes", "permission"]


def test_admin_group_may_look_and_send(control):
    control.start(config="control: {admin_group: 4242}\n")
    assert ask_as(control, STATUS, SEND, gid=4242) == ["yes", "yes"]


def test_supplementary_groups_count(control):
    control.start(config="control: {read_group: 4242, admin_group: 4243}\n")
    assert ask_as(control, SEND, groups=(1000, 4242)) == ["permission"]
    assert ask_as(control, SEND, groups=(1000, 4242, 4243)) == ["yes"]


def test_group_may_be_a_name(control):
    name = grp.getgrgid(65534).gr_name
    control.start(config=f"control: {{admin_group: {name}}}\n")
    assert ask_as(control, SEND) == ["yes"]


def test_commands_are_those_that_one_may_use(control):
    control.start(config="control: {read_group: 4242}\n")
    own = control.connect().get("commands")["commands"]
    assert "send" in own and "status" in own


def test_group_that_there_is_not_exits_78(control):
    process = control.start(
        config="control: {read_group: nosuchgroup}\n", ready=None
    )
    assert process.finish() == 78
    assert 'no group "nosuchgroup"' in process.stderr


def test_misspelt_key_of_control_is_refused_with_its_line(control):
    process = control.start(
        config="control:\n  red_group: adm\n", ready=None
    )
    assert process.finish() == 78
    assert 'control.yaml:2: control.red_group: unknown key; did you mean ' in (
        process.stderr
    )


def test_socket_is_gone_after_the_end(control):
    process = control.start()
    assert control.path.exists()
    process.signal(signal.SIGTERM)
    assert process.finish() == 0
    assert not control.path.exists()


def test_socket_that_a_dead_awaitd_left_is_replaced(control):
    process = control.start()
    process.kill()
    assert control.path.exists()
    control.start()
    assert control.connect().get("status")["exact"]


def test_socket_of_a_living_awaitd_is_respected(control):
    control.start()
    second = control.start(ready=None)
    assert second.finish() == 69
    assert "another awaitd listens there" in second.stderr
    assert control.connect().get("status")["exact"]


def test_file_that_is_no_socket_is_respected(control):
    control.path.write_text("precious")
    process = control.start(ready=None)
    assert process.finish() == 69
    assert control.path.read_text() == "precious"


def test_socket_may_come_from_the_environment(control, run_daemon):
    script = control.host.write("script.py", WAIT)
    process = run_daemon(
        "run", "-q", script, env={"AWAITD_SOCKET": str(control.path)}
    )
    process.line("ready")
    assert control.connect().get("status")["socket"] == str(control.path)


def test_socket_may_come_from_the_file(control, run_daemon):
    control.host.write("script.py", WAIT)
    text = "control: {socket: mine.sock}\nscripts: [{path: script.py}]\n"
    config = control.host.write("a.yaml", text)
    before = os.environ.pop("AWAITD_SOCKET")
    try:
        process = run_daemon("run", "-q", "-c", config)
    finally:
        os.environ["AWAITD_SOCKET"] = before
    process.line("ready")
    client = Client(control.folder / "mine.sock")
    assert client.get("status")["devices"] == 0
    client.close()


def test_default_socket_is_in_the_runtime_folder(
    control, start_process, awaitd_binary
):
    """Of a user that is not root."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    probe = socket.socket(socket.AF_UNIX)
    folder = control.folder / "runtime"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    script = control.host.write("script.py", WAIT)
    let_in(control.folder, 0o055)
    process = start_process(
        *others.nobody(),
        *("env", "-u", "AWAITD_SOCKET", f"XDG_RUNTIME_DIR={folder}"),
        *(awaitd_binary, "run", "-q", script),
    )
    process.line("ready")
    path = folder / "awaitd" / "control.sock"
    probe.connect(str(path))
    probe.close()
    assert path.stat().st_uid == 65534


def test_user_without_an_awaitd_is_taken_to_the_systems(
    control, start_process, awaitd_binary
):
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    control.start(config="control: {read_group: 65534}\n")
    assert ask_as(control, STATUS) == ["yes"]  # and may go to the folder
    # This one's socket is at the system's place, for the one that asks.
    scene = (
        "mount -t tmpfs -o mode=755 none /run && mkdir /run/awaitd &&"
        ' ln -s "$1" /run/awaitd/control.sock && shift && exec "$@"'
    )
    process = start_process(
        *("unshare", "--mount", "sh", "-c", scene, "sh", control.path),
        *others.nobody(),
        *("env", "-u", "AWAITD_SOCKET", f"XDG_RUNTIME_DIR={control.folder}"),
        *(awaitd_binary.with_name("awaitctl"), "--json", "status"),
    )
    assert process.finish() == 0, process.stderr
    assert json.loads(process.stdout)["socket"] == str(control.path)
