"""A hosted script is __main__: what reads that name finds the script's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

# Everything that looks a class up by its module's name. Ends by printing "ok".
OWN_CLASSES = """
    import asyncio, concurrent.futures, dataclasses, enum, inspect, pickle
    import threading, typing
    from sys import modules

    MINE = "{name}"

    class Colour(enum.Enum):
        RED = "{name}"

    class Point(typing.NamedTuple):
        x: "Colour"

    @dataclasses.dataclass
    class Node:
        colour: "Colour"
        limit: "typing.ClassVar[int]" = 1

    def check():
        import __main__
        assert __main__.MINE == MINE == vars(modules["__main__"])["MINE"]
        assert "Colour" in dir(__main__)
        for value in (Colour.RED, Point(Colour.RED), Node(Colour.RED)):
            assert pickle.loads(pickle.dumps(value)) == value
            assert pickle._loads(pickle._dumps(value)) == value
        assert typing.get_type_hints(Node)["colour"] is Colour
        assert typing.get_type_hints(Point) == {{"x": Colour}}
        assert [f.name for f in dataclasses.fields(Node)] == ["colour"]
        assert MINE in inspect.getsource(Colour)
        assert inspect.getmodule(Node).MINE == MINE

    async def main():
        check()
        await asyncio.to_thread(check)
        loop = asyncio.get_running_loop()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            await loop.run_in_executor(pool, check)

    failed = []
    threading.excepthook = failed.append
    thread = threading.Thread(target=check)
    thread.start()
    thread.join()
    assert not failed
    for _ in range(20):
        asyncio.run(main())
    print("ok")
"""


def test_h49_own_classes_resolve_in_two_scripts_and_their_threads(host):
    process = host.run(
        one=OWN_CLASSES.format(name="one"), two=OWN_CLASSES.format(name="two")
    )
    assert sorted(process.stdout.splitlines()) == ["one: ok", "two: ok"]


def test_main_has_what_python3_gives_it(host, tmp_path):
    text = """
        '''A doc.'''
        import json, sys
        main = sys.modules["__main__"]
        print(json.dumps([__name__, __file__, __spec__, __package__, __cached__,
                          __doc__, main.__file__, sys.path[0], sys.argv]))
        """
    process = host.run(text, cwd=tmp_path)
    script = str(tmp_path / "script.py")
    assert json.loads(process.stdout) == [
        *("__main__", script, None, None, None, "A doc.", script),
        *(str(tmp_path), [script]),
    ]


def test_file_is_absolute_where_argv_is_as_given(host, tmp_path):
    host.write("script.py", "import sys; print(__file__, sys.argv[0])\n")
    process = host._run_daemon("run", "-q", "script.py", cwd=tmp_path)
    assert process.finish() == 0
    assert process.stdout.split() == [str(tmp_path / "script.py"), "script.py"]


def test_symlinked_script_imports_beside_its_target(host, tmp_path):
    host.write("real/helper.py", "NAME = 'beside the target'\n")
    target = host.write("real/script.py", "import helper; print(helper.NAME)\n")
    (tmp_path / "link.py").symlink_to(target)
    process = host._run_daemon("run", "-q", tmp_path / "link.py")
    assert process.finish() == 0
    assert process.stdout == "beside the target\n"


def test_argv_of_each_script_is_its_own(host, tmp_path):
    text = "import sys; sys.argv.append('x'); print(sys.argv)\n"
    process = host.run(text, "1", "two words", other=text)
    assert sorted(process.stdout.splitlines()) == [
        f"other: {[str(tmp_path / 'other.py'), 'x']}",
        f"script: {[str(tmp_path / 'script.py'), '1', 'two words', 'x']}",
    ]


def test_argv_can_be_replaced(host):
    process = host.run(
        """
        import argparse, sys
        sys.argv = ["prog", "--number", "3"]
        parser = argparse.ArgumentParser()
        parser.add_argument("--number", type=int)
        print(parser.prog, parser.parse_args().number)
        """
    )
    assert process.stdout == "prog 3\n"


def test_excepthook_of_each_script_is_its_own(host):
    process = host.run(
        one="""
        import sys
        sys.excepthook = lambda kind, error, trace: print("hook", error)
        raise ValueError("brakes")
        """,
        two="raise ValueError('lights')\n",
        status=1,
    )
    assert process.stdout == "one: hook brakes\n"
    assert "two: ValueError: lights\n" in process.stderr


SPAWN = """
    import multiprocessing, sys
    from dataclasses import dataclass

    @dataclass
    class Job:
        number: int
        owner: str = "{name}"

    def work(job):
        return Job(job.number * 2)

    if __name__ == "__main__":
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            done = pool.map(work, [Job(1), Job(2)])
        assert done == [Job(2), Job(4)], done
        assert sys.executable
        print("ok")
"""


def test_h48_multiprocessing_spawn_resolves_own_classes(host):
    process = host.run(
        one=SPAWN.format(name="one"),
        two=SPAWN.format(name="two"),
        deadline_s=60,
    )
    assert sorted(process.stdout.splitlines()) == ["one: ok", "two: ok"]


def test_spawned_child_imports_awaitd_and_names_no_device(host):
    process = host.run(
        """
        import multiprocessing

        def ask():
            import awaitd
            try:
                from awaitd.devices import bus
            except ImportError as error:
                return str(error)

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.apply(ask))
        """,
        deadline_s=60,
    )
    assert "no device is called 'bus'" in process.stdout


def test_process_pool_left_open_ends_with_the_script(host):
    process = host.run(
        """
        import concurrent.futures, multiprocessing

        def work(number):
            return number + 1

        if __name__ == "__main__":
            pool = concurrent.futures.ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn")
            )
            print(pool.submit(work, 1).result())
        """,
        deadline_s=60,
    )
    assert process.stdout == "2\n"


@pytest.mark.parametrize(
    "source, printed",
    [
        (b"# -*- coding: latin-1 -*-\nprint('Gr\xf6\xdfe')\n", "Größe\n"),
        (b"\xef\xbb\xbfprint('Gr\xc3\xb6\xc3\x9fe')\n", "Größe\n"),
        (b"print('one')\r\nprint('two')\r\n", "one\ntwo\n"),
    ],
    ids=["cookie", "bom", "crlf"],
)
def test_source_is_decoded_as_python3_does(host, tmp_path, source, printed):
    (tmp_path / "coded.py").write_bytes(source)
    process = host._run_daemon("run", "-q", tmp_path / "coded.py")
    assert process.finish() == 0
    assert process.stdout == printed


def test_syntax_error_names_file_and_line_alone(host, tmp_path):
    process = host.run("x = 1\nif x ==:\n    pass\n", status=1)
    lines = process.stderr.splitlines()
    assert lines[0] == f'  File "{tmp_path}/script.py", line 2'
    assert lines[-1] == "SyntaxError: invalid syntax"


def test_script_gone_since_the_check_is_named(tmp_path):
    # In this process: between check and start there is no moment to hook.
    code = f"""
import sys
from awaitd._host.script import HostedScript
from awaitd._host.slot import Slot
slot = Slot(0, "gone", {str(tmp_path / "gone.py")!r}, [])
print(HostedScript(slot, 1, "start", [slot], (None, None, None)).run())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20
    )
    reason = f"{tmp_path}/gone.py: No such file or directory"
    assert done.stdout == f"{(78, False, False, reason)!r}\n"
    assert done.stderr == (
        f"awaitd: error: cannot read script {tmp_path}/gone.py: "
        "No such file or directory\n"
    )


def test_helper_modules_of_both_folders_are_found(host):
    host.write("a/one_helper.py", "WHO = 'one'\n")
    host.write("b/two_helper.py", "WHO = 'two'\n")
    both = "import one_helper, two_helper\nprint(one_helper.WHO, two_helper.WHO)\n"
    first = host.write("a/one.py", both)
    second = host.write("b/two.py", both)
    process = host._run_daemon("run", "-q", "-s", first, second)
    assert process.finish() == 0
    assert sorted(process.stdout.splitlines()) == [
        "one: one two",
        "two: one two",
    ]


def test_h47_a_module_of_the_same_name_is_shared(host):
    for folder in ("a", "b"):
        host.write(f"{folder}/helper.py", f"WHO = {folder!r}\n")
        host.write(f"{folder}/{folder}.py", "import helper\nprint(helper.WHO)\n")
    process = host._run_daemon(
        "run", "-q", "-s", host.folder / "a/a.py", host.folder / "b/b.py"
    )
    assert process.finish() == 0
    # The first script's folder comes first, for both.
    assert sorted(process.stdout.splitlines()) == ["a: a", "b: a"]


def test_pythonpath_is_honoured(host):
    host.write("lib/found_by_path.py", "WHERE = 'PYTHONPATH'\n")
    paths = [str(host.folder / "lib"), os.environ["PYTHONPATH"]]
    process = host.run(
        "import found_by_path; print(found_by_path.WHERE)\n",
        env={"PYTHONPATH": os.pathsep.join(paths)},
    )
    assert process.stdout == "PYTHONPATH\n"


@pytest.mark.parametrize(
    "environment", [("-i",), ("LANG=C", "LC_ALL=C")], ids=["empty", "C"]
)
def test_h23_output_is_utf8_whatever_the_locale(
    host, awaitd_binary, environment
):
    process = host.run(
        """
        import sys
        print("Größe", sys.stdout.encoding, sys.getfilesystemencoding())
        print(open(__file__).read().count("Größe"))
        """,
        before=("env", *environment, str(awaitd_binary)),
    )
    assert process.stdout == "Größe utf-8 utf-8\n2\n"


def test_script_tells_its_life(host):
    process = host.run(
        """
        import asyncio, threading
        import awaitd

        def tell():
            s = awaitd.script
            print(s.name, s.stopping, s.start_reason, s.generation, s)

        tell()
        thread = threading.Thread(target=tell)
        thread.start()
        thread.join()
        await asyncio.to_thread(tell)
        """
    )
    life = "script None start 1 <script script>\n"
    assert process.stdout == life * 3


def test_raw_thread_belongs_to_its_script(host):
    process = host.run(
        one="""
        import _thread, threading
        done = threading.Event()
        _thread.start_new_thread(lambda: (print("raw"), done.set()), ())
        done.wait()
        """,
        two="pass\n",
    )
    assert process.stdout == "one: raw\n"


def test_unknown_device_lists_the_names(host):
    process = host.run(
        "from awaitd.devices import CANbus\n",
        devices=("bus=virtual:can", "net=virtual:bytes"),
        status=1,
    )
    assert "no device is called 'CANbus'; there are: bus, net" in process.stderr
    assert f'File "{host.folder}/script.py", line 1' in process.stderr


def test_built_in_extension_wins(host):
    process = host.run(
        "import _awaitd; print(_awaitd.__spec__.origin, _awaitd.__loader__)\n"
    )
    assert process.stdout.startswith("built-in ")
