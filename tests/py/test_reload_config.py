"""A reload reads the configuration again: what changes, and what does not."""

from __future__ import annotations

import socket
import textwrap
from pathlib import Path

import pytest
from configured import daemon, reload  # noqa: F401
from control import Client, connect_soon, control  # noqa: F401
from hosted import host  # noqa: F401
from ports import free_port
from process import Process

pytestmark = pytest.mark.daemon

STAYS = """
    import asyncio, awaitd, sys
    print("began", awaitd.script.start_reason, *sys.argv[1:], flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        print("ended", awaitd.script.stopping, flush=True)
"""

# Holds a queue on each device named, and tells how it ends.
LISTENS = """
    import asyncio, awaitd, sys
    queues = [awaitd.device(name).queue(name="q") for name in sys.argv[1:]]
    print("listens", awaitd.script.start_reason, flush=True)
    try:
        await asyncio.gather(*[queue.get() for queue in queues])
        print("got", flush=True)
        await asyncio.Event().wait()
    finally:
        print("ended", awaitd.script.stopping, flush=True)
"""


def names(process: Process) -> list[str]:
    return process.stdout.splitlines()


# ---- scripts ----


def test_new_script_is_started_and_the_other_one_is_not_touched(daemon, reload):
    daemon.script("one", STAYS)
    daemon.script("two", STAYS)
    process = daemon.start("scripts: [{path: one.py}]")
    process.line("began start")
    replies = reload("scripts: [{path: one.py}, {path: two.py, args: [new]}]")
    assert {(it["script"], it["text"]) for it in replies["scripts"]} == {
        ("one", "unchanged"),
        ("two", "started"),
    }
    process.line("began start new")
    daemon.stop()
    assert process.stdout.count("began") == 2
    assert process.stdout.count("ended stop") == 2


def test_removed_script_is_stopped_with_its_finally_and_forgotten(
    daemon, reload
):
    daemon.script("one", STAYS)
    daemon.script("two", STAYS)
    process = daemon.start("scripts: [{path: one.py}, {path: two.py}]")
    for _ in range(2):
        process.line("began")
    replies = reload("scripts: [{path: one.py}]")["scripts"]
    assert {(it["script"], it["ok"], it["text"]) for it in replies} == {
        ("one", True, "unchanged"),
        ("two", True, "removed"),
    }
    assert process.line("ended") == "two: ended stop"
    client = Client(daemon.socket)
    error = client.ask("stop", script="two")["error"]
    assert error["text"] == 'there is no script "two": there are one'
    client.close()
    daemon.stop()
    assert process.stdout.count("one: began") == 1


def test_last_script_leaves_while_a_round_waits_that_adds_another(
    daemon,
):
    daemon.script(
        "one",
        f"""
        import asyncio, os
        print("began", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("ends", flush=True)
            while not os.path.exists({str(daemon.folder / "go")!r}):
                await asyncio.sleep(0.01)
        """,
    )
    daemon.script("ended", "print('began', flush=True)")
    daemon.script("two", STAYS)
    process = daemon.start("scripts: [{path: one.py}, {path: ended.py}]")
    for _ in range(2):
        process.line("began")
    daemon.hang_up("scripts: [{path: ended.py}]")
    process.line("one: ends")
    daemon.write("scripts: [{path: ended.py}, {path: two.py}]")
    asks, looks = connect_soon(daemon.socket), connect_soon(daemon.socket)
    asks.write(b'{"command": "reload"}\n')
    for _ in range(2):
        looks.get("status")  # the second time that has been read
    (daemon.folder / "go").touch()
    process.line("two: began start")
    assert asks.receive()["ok"]
    for client in (asks, looks):
        client.close()
    daemon.stop()


def test_place_of_a_removed_script_is_taken_by_another(daemon, reload):
    for name in ("one", "two", "three"):
        daemon.script(name, STAYS)
    process = daemon.start("scripts: [{path: one.py}, {path: two.py}]")
    for _ in range(2):
        process.line("began")
    reload("scripts: [{path: one.py}]")
    reload("scripts: [{path: one.py}, {path: three.py}]")
    process.line("three: began start")
    replies = reload("scripts: [{path: three.py}]")["scripts"]
    assert {it["script"] for it in replies} == {"one", "three"}
    daemon.stop()
    assert names(process).count("three: ended stop") == 1
    assert names(process).count("two: ended stop") == 1


@pytest.mark.parametrize(
    "changed",
    ["{name: it, path: other.py}", "{name: it, path: it.py, args: [b]}"],
    ids=["path", "args"],
)
def test_changed_script_is_reloaded_with_its_new_settings(
    daemon, reload, changed
):
    daemon.script("it", STAYS)
    daemon.script("other", STAYS.replace("began", "began other"))
    process = daemon.start("scripts: [{name: it, path: it.py}]")
    process.line("began start")
    reload(f"scripts: [{changed}]")
    said = process.line("began")
    assert said == (
        "began other reload" if "other" in changed else "began reload b"
    )
    reload()
    daemon.stop()
    assert process.stdout.count("began") == 2
    assert process.stdout.count("ended reload") == 1


def test_new_folder_of_modules_is_found(daemon, reload):
    (daemon.folder / "more").mkdir()
    daemon.script("more/its_module", "WHO = 'found'\n")
    daemon.script(
        "it",
        """
        import asyncio
        try:
            import its_module
            print(its_module.WHO, flush=True)
        except ImportError:
            print("missing", flush=True)
        await asyncio.Event().wait()
        """,
    )
    process = daemon.start("scripts: [{path: it.py}]")
    process.line("missing")
    reload("scripts: [{path: it.py, paths: [more]}]")
    process.line("found")


def test_policy_holds_at_once_and_the_script_is_not_touched(daemon, reload):
    go = daemon.folder / "go"
    daemon.script(
        "it",
        f"""
        import asyncio, awaitd, os
        print("began", awaitd.script.start_reason, flush=True)
        while not os.path.exists("{go}"):
            await asyncio.sleep(0.01)
        if awaitd.script.start_reason == "start":
            1 / 0
        await asyncio.Event().wait()
        """,
    )
    process = daemon.start("scripts: [{path: it.py}]")
    process.line("began start")
    reload(
        "scripts: [{path: it.py, restart: on-failure, restart_delay_s: 0.01}]"
    )
    go.touch()
    assert process.line("began") == "began restart"


def test_new_settings_of_a_version_that_fails_wait_for_one_that_does_not(
    daemon, reload
):
    daemon.script("it", STAYS)
    process = daemon.start("scripts: [{path: it.py}]")
    process.line("began start")
    daemon.script("it", "import asyncio\n1 / 0\n")
    (reply,) = reload("scripts: [{path: it.py, args: [b]}]", status=1)["scripts"]
    assert "it.py:2: ZeroDivisionError" in reply["text"]
    daemon.script("it", STAYS)
    # The same source as that of the version that runs.
    reload()
    assert process.line("began") == "began reload b"
    daemon.stop()
    ends = [line for line in names(process) if "ended" in line]
    assert ends == ["ended reload", "ended stop"]


def test_version_before_comes_back_with_its_own_arguments(daemon, reload):
    daemon.script("it", STAYS)
    process = daemon.start(
        "reload_settle_s: 5\nscripts: [{path: it.py, args: [a]}]"
    )
    process.line("began start a")
    daemon.script("it", "import awaitd\nawaitd.script.state\n1 / 0\n")
    reload(
        "reload_settle_s: 5\nscripts: [{path: it.py, args: [b]}]", status=1
    )
    assert process.line("began") == "began revert a"


# ---- devices ----


def test_new_device_is_opened_for_a_new_script(daemon, reload):
    daemon.script("one", STAYS)
    daemon.script("two", LISTENS)
    process = daemon.start("scripts: [{path: one.py}]")
    process.line("began")
    reload("""
        devices: [{name: bus, driver: virtual}]
        scripts: [{path: one.py}, {path: two.py, args: [bus]}]
    """)
    process.line("listens start")
    daemon.stop()
    assert "bus" in process.stderr.split("awaitd: ledger\n")[1]


def test_removed_device_is_closed_when_its_script_goes_too(daemon, reload):
    daemon.script("one", STAYS)
    daemon.script("two", LISTENS)
    process = daemon.start("""
        devices: [{name: bus, driver: virtual}]
        scripts: [{path: one.py}, {path: two.py, args: [bus]}]
    """)
    process.line("listens")
    assert reload("scripts: [{path: one.py}]")["notes"] == []
    daemon.log("device bus is closed")
    daemon.log("ledger of device bus")
    daemon.stop()


def test_removed_device_that_a_script_uses_is_closed_after_it(daemon, reload):
    daemon.script("one", STAYS)
    daemon.script("two", LISTENS)
    process = daemon.start("""
        devices: [{name: bus, driver: virtual}, {name: gone, driver: virtual}]
        scripts: [{path: one.py}, {path: two.py, args: [gone]}]
    """)
    process.line("listens")
    with_two = """
        devices: [{name: bus, driver: virtual}]
        scripts: [{path: one.py}, {path: two.py, args: [%s]}]
    """
    (note,) = reload(with_two % "gone")["notes"]
    assert "device gone" in note and "script two uses it" in note
    assert "device gone is closed" not in process.stderr
    assert reload(with_two % "bus")["notes"] == []
    process.line("listens reload")
    daemon.log("device gone is closed")


def test_new_version_that_wants_a_removed_device_is_told_what_there_is(
    daemon, reload
):
    daemon.script("it", LISTENS)
    process = daemon.start("""
        devices: [{name: bus, driver: virtual}, {name: gone, driver: virtual}]
        scripts: [{path: it.py, args: [gone]}]
    """)
    process.line("listens")
    (reply,) = reload(
        """
        devices: [{name: bus, driver: virtual}]
        scripts: [{path: it.py, args: [gone, again]}]
        """,
        status=1,
    )["scripts"]
    said = reply["text"]
    assert "no device is called 'gone'" in said and "bus" in said


def test_changed_device_is_another_one_and_its_script_is_restarted(
    daemon, reload
):
    daemon.script("one", STAYS)
    daemon.script("two", LISTENS)
    process = daemon.start("""
        devices: [{name: bus, driver: virtual}]
        scripts: [{path: one.py}, {path: two.py, args: [bus]}]
    """)
    process.until_said("one: began", "two: listens start")
    reload("""
        devices: [{name: bus, driver: virtual, receive_own: true}]
        scripts: [{path: one.py}, {path: two.py, args: [bus]}]
    """)
    process.line("two: ended restart")
    process.line("listens restart")
    daemon.log("device bus, as it was configured before, is closed")
    daemon.stop()
    assert process.stdout.count("one: began") == 1


def test_device_that_says_the_same_in_other_words_is_the_same(daemon, reload):
    daemon.script("it", LISTENS)
    text = """
        devices: [{{name: bus, driver: virtual, receive_own: {}}}]
        scripts: [{{path: it.py, args: [bus]}}]
    """
    process = daemon.start(text.format("no"))
    process.line("listens")
    reload(text.format("false"))
    daemon.stop()
    assert process.stdout.count("listens") == 1


UDP = """
    devices:
      - {{name: net, driver: udp, bind: "127.0.0.1:{port}", {options}}}
    scripts: [{{path: one.py}}, {{path: two.py, args: [net]}}]
"""


def test_device_whose_address_is_taken_by_itself_is_opened_after_it(
    daemon, reload
):
    port = free_port()
    daemon.script("one", STAYS)
    daemon.script("two", LISTENS)
    process = daemon.start(UDP.format(port=port, options="max_payload: 1000"))
    process.until_said("one: began", "two: listens start")
    reload(UDP.format(port=port, options="max_payload: 500"))
    process.line("two: ended restart")
    process.line("listens restart")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"x", ("127.0.0.1", port))
    process.line("two: got")
    daemon.stop()
    assert process.stdout.count("one: began") == 1


def test_device_whose_new_address_another_has_is_opened_as_it_was(
    daemon, reload
):
    port = free_port()
    daemon.script("one", STAYS)
    daemon.script("two", LISTENS)
    text = UDP.format(port=port, options="max_payload: 1000")
    process = daemon.start(text)
    process.until_said("one: began", "two: listens start")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        said = reload(
            UDP.format(port=taken, options="max_payload: 1000"), status=1
        )
        assert "device net" in said and "in use" in said
    process.line("listens restart")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"x", ("127.0.0.1", port))
    process.line("two: got")
    # What is in force is what was: there is nothing to change.
    reload(text)
    daemon.stop()
    assert process.stdout.count("listens") == 2
    assert process.stdout.count("one: began") == 1


def test_device_that_cannot_be_opened_changes_nothing(daemon, reload):
    daemon.script("one", STAYS)
    daemon.script("two", STAYS)
    text = "devices: [{name: bus, driver: virtual}]\nscripts: [{path: one.py}]"
    process = daemon.start(text)
    process.line("began")
    said = reload(
        """
        devices:
          - {name: other, driver: virtual}
          - {name: log, driver: replay, path: none.log}
        scripts: [{path: two.py}]
        """,
        status=1,
    )
    assert "device log" in said and "none.log" in said
    assert "is opened" not in process.stderr
    reload(text)
    daemon.stop()
    assert names(process) == ["began start", "ended stop"]


# ---- the file ----


@pytest.mark.parametrize(
    "wrong, said",
    [
        ("devices: [\n", "awaitd.yaml:"),
        ("scripts:\n  - {path: one.py, arg: [x]}\n", "awaitd.yaml:3"),
        ("scripts:\n  - {path: none.py}\n", "awaitd.yaml:3"),
        ("devices:\n  - {name: a, driver: cam}\n", "awaitd.yaml:3"),
        ("stop_grace_s: 1\n", "no scripts"),
    ],
    ids=["yaml", "key", "missing", "driver", "empty"],
)
def test_file_with_an_error_changes_nothing_and_says_where(
    daemon, reload, wrong, said
):
    daemon.script("one", STAYS)
    process = daemon.start("scripts: [{path: one.py}]")
    process.line("began")
    daemon.script("one", STAYS.replace("began", "anew"))
    assert said in reload(wrong, status=1)
    daemon.hang_up()
    for _ in range(2):
        assert said in daemon.log("reload failed")
    # Not even the script that has changed.
    reload("scripts: [{path: one.py}]")
    process.line("anew")
    daemon.stop()


def test_missing_file_changes_nothing(daemon):
    daemon.script("one", STAYS)
    process = daemon.start("scripts: [{path: one.py}]")
    process.line("began")
    daemon.file.unlink()
    daemon.hang_up()
    assert "awaitd.yaml: No such file" in daemon.log("reload failed")
    daemon.stop()


def test_what_only_a_restart_can_change_is_told_each_time(daemon, reload):
    daemon.script("one", STAYS)
    process = daemon.start("scripts: [{path: one.py}]")
    process.line("began")
    text = "cwd: /\nenvironment: [A=B]\nscripts: [{path: one.py}]"
    for _ in range(2):
        (note,) = reload(text)["notes"]
        assert note.startswith("cwd, environment: changed")
        assert "needs a restart" in note
    assert reload("scripts: [{path: one.py}]")["notes"] == []
    daemon.stop()


def test_times_hold_at_once(daemon, reload):
    daemon.script(
        "one",
        """
        import asyncio
        print("began", flush=True)
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                print("asked", flush=True)
        """,
    )
    process = daemon.start(
        "stop_grace_s: 30\nstop_timeout_s: 60\nscripts: [{path: one.py}]"
    )
    process.line("began")
    reload(
        "stop_grace_s: 2\nstop_timeout_s: 4\nscripts: [{path: one.py}]"
    )
    daemon.stop(status=1)
    assert process.stdout.count("asked") >= 2


def test_relative_file_is_found_whatever_the_scripts_folder_is(
    daemon, host, start_process, awaitd_binary  # noqa: F811
):
    """Scripts share a working directory; the daemon's own stays."""
    daemon.script("one", "import os\nos.chdir('/')\n" + textwrap.dedent(STAYS))
    daemon.script("two", STAYS)
    daemon.write("cwd: /usr\nscripts: [{path: one.py}]")
    process = daemon.process = start_process(
        awaitd_binary, "run", "-c", "awaitd.yaml", cwd=daemon.folder
    )
    process.line("began")
    daemon.hang_up("cwd: /usr\nscripts: [{path: one.py}, {path: two.py}]")
    process.line("began")
    daemon.stop()


def test_without_a_file_what_the_command_line_says_is_reloaded(
    daemon, host, run_daemon  # noqa: F811
):
    daemon.script("one", STAYS)
    process = daemon.process = run_daemon("run", daemon.folder / "one.py")
    process.line("began start")
    daemon.script("one", STAYS.replace("began", "anew"))
    daemon.hang_up()
    process.line("anew reload")
    daemon.log("is reloaded")
    daemon.stop()


def test_device_of_the_command_line_wins_over_the_file_again(daemon, reload):
    daemon.script("it", LISTENS)
    text = """
        devices: [{{name: bus, driver: {}}}]
        scripts: [{{path: it.py, args: [bus]}}]
    """
    process = daemon.start(text.format("virtual"), "-d", "bus=virtual:can")
    process.line("listens")
    reload(text.format("can, interface: none"))
    daemon.stop()
    assert process.stdout.count("listens") == 1


def test_stop_while_a_reload_is_under_way_ends_both(daemon):
    daemon.script("one", STAYS)
    process = daemon.start("scripts: [{path: one.py}]")
    process.line("began")
    daemon.script("one", "print('busy', flush=True)\nwhile True: pass\n")
    daemon.hang_up()
    process.line("busy")
    daemon.hang_up()  # the next round
    daemon.stop()
    assert process.stdout.count("ended stop") == 1


def test_notes_are_shown_beside_the_scripts(
    daemon, awaitd_binary, start_process
):
    daemon.script("one", STAYS)
    daemon.start("scripts: [{path: one.py}]").line("began")
    daemon.write("cwd: /\nscripts: [{path: one.py}]")
    process = start_process(
        awaitd_binary.with_name("awaitctl"), "--socket", daemon.socket, "reload"
    )
    assert process.finish() == 0
    assert process.stdout == "one: unchanged, generation 1\n"
    assert process.stderr.startswith("cwd: changed")


def test_many_reloads_leave_no_descriptor(daemon, reload):
    daemon.script("one", STAYS)
    daemon.script("two", LISTENS)
    text = """
        devices: [{{name: bus, driver: virtual, receive_own: {}}}]
        scripts: [{{path: one.py}}{}]
    """
    process = daemon.start(text.format("yes", ""))
    process.line("began")
    counts = []
    for number in range(8):
        own = "no" if number % 2 else "yes"
        reload(text.format(own, ", {path: two.py, args: [bus]}"))
        reload(text.format(own, ""))
        fds = Path(f"/proc/{process.popen.pid}/fd")
        counts.append(len(list(fds.iterdir())))
    # One version more may wait to be collected.
    assert counts[-1] <= counts[1] + 6


# ---- beside traffic ----

TRAFFIC = """
    import asyncio, awaitd, time
    from awaitd.devices import bus
    number, began = 0, time.monotonic()
    while True:
        due = int((time.monotonic() - began) * 8000)
        while number < due:
            await bus.send(awaitd.CanFrame(0x100, number.to_bytes(4, "big")))
            number += 1
        await asyncio.sleep(0.01)
"""

COUNTS = """
    import awaitd
    from awaitd.devices import bus
    q, expected = bus.queue(name="q", depth=1 << 17), None
    print("counts", flush=True)
    async for frame in q:
        number = int.from_bytes(frame.data, "big")
        if frame.lost_before or expected not in (None, number):
            print("gap", expected, number, flush=True)
        expected = number + 1
"""


def test_untouched_script_under_8000_frames_a_second_sees_no_gap(
    daemon, reload
):
    daemon.script("traffic", TRAFFIC)
    daemon.script("counts", COUNTS)
    daemon.script("other", LISTENS)
    text = """
        devices:
          - {{name: bus, driver: virtual}}
          - {{name: side, driver: virtual, receive_own: {own}}}
        scripts: [{{path: counts.py}}, {{path: traffic.py}}{more}]
    """
    process = daemon.start(text.format(own="no", more=""), deadline_s=60)
    process.line("counts: counts")
    for round_number in range(10):
        own = "yes" if round_number % 2 else "no"
        reload(text.format(own=own, more=", {path: other.py, args: [side]}"))
        process.line("other: listens start")  # not removed before that
        reload(text.format(own=own, more=""))
    daemon.stop()
    assert process.stdout.count("listens start") == 10
    assert "gap" not in process.stdout
    assert process.stdout.count("counts: counts") == 1
    ledger = process.stderr.split("awaitd: ledger\n")[1]
    (line,) = [line for line in ledger.splitlines() if " counts " in line]
    assert "exact" in line and "overflow" not in line
