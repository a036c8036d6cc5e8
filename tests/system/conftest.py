"""Fixtures of the system tests: the programs under test, instances, pairs of them, peers."""

import os
import pathlib
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from harness import instance, peers, processes, sink  # noqa: E402  (the path is set just above)

TEST_LIMIT_S = 150
TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def pytest_configure(config):
    config.addinivalue_line("markers", "own_machine: needs ports and files of a private machine")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("own_machine") and not peers.own_machine():
            item.add_marker(pytest.mark.skip(reason="needs root and tests/system/run"))


def is_taken_elsewhere(module, taken={}):
    """Runs with the same directory POSTHOUSE_TESTS_SHARED divide the modules between them: who comes first has one."""
    shared = os.environ.get("POSTHOUSE_TESTS_SHARED")
    if shared and module not in taken:
        try:
            (pathlib.Path(shared) / module).touch(exist_ok=False)
            taken[module] = False
        except FileExistsError:
            taken[module] = True
    return taken.get(module, False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    return True if is_taken_elsewhere(item.path.stem) else None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call":
        item.has_failed = report.failed


@pytest.fixture(scope="session")
def workspace():
    """A directory that daemons with users of their own can reach, unlike pytest's."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="posthouse-tests-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    if not os.environ.get("POSTHOUSE_TESTS_KEEP"):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def programs(workspace):
    build = os.environ.get("POSTHOUSE_BUILD") or next(
        (str(TOP / name) for name in ("build-tests/gcc", "build") if (TOP / name / "Makefile").exists()),
        "no build")
    try:
        return instance.Programs(build, workspace / "programs")
    except RuntimeError as error:
        pytest.exit(str(error), returncode=3)   # no test can run without


@pytest.fixture(autouse=True)
def limited_time():
    """No test hangs the run: every wait in it has a deadline, and this is the last one."""
    def too_late(_number, _frame):
        raise AssertionError(f"not done within {TEST_LIMIT_S} s")

    signal.signal(signal.SIGALRM, too_late)
    signal.alarm(TEST_LIMIT_S)
    yield
    signal.alarm(0)


@pytest.fixture
def make_instance(programs, workspace, request):
    """make_instance(name, **arguments of Instance): stopped and inspected at the end of the test."""
    made = []
    place = pathlib.Path(tempfile.mkdtemp(prefix=request.node.name[:40].replace("/", "_") + "-", dir=workspace))
    place.chmod(0o755)

    def make(name="here", **arguments):
        arguments.setdefault("uid_base", 58000 + 100 * len(made))
        one = instance.Instance(programs, place, name, **arguments)
        made.append(one)
        return one

    before = everybody(programs)
    yield make
    complaints = []
    for one in made:
        try:
            if one.is_running():
                one.stop()
        finally:
            complaints += one.complaints()
    failed = getattr(request.node, "has_failed", True)
    if failed:
        for one in made:
            print(f"--- log of {one.name} ({one.directory})\n{one.log()[-6000:]}")
    elif not os.environ.get("POSTHOUSE_TESTS_KEEP"):
        shutil.rmtree(place, ignore_errors=True)
    assert not complaints, complaints
    instance.wait_until(lambda: everybody(programs) <= before, f"nobody is left running beside {before}")


def everybody(programs):
    """(pid, program) of each daemon of ours; an ordinary user cannot see what a daemon executes."""
    return {(pid, name) for name, pids in processes.processes_of(programs).items() for pid in pids}


@pytest.fixture
def here(make_instance):
    """One running instance for here.test with the users you@ and friend@."""
    return make_instance("here", users=["you@here.test", "friend@here.test"]).start()


@pytest.fixture
def recording_sink():
    with sink.Sink() as one:
        yield one


@pytest.fixture
def relaying(make_instance, recording_sink):
    """An instance that hands everything not its own to a recording sink."""
    one = make_instance("here", settings={
        "relayhost": f"[127.0.0.1]:{recording_sink.port}",
        "minimal_backoff_time": "1s", "maximal_backoff_time": "2s"})
    return one.start()
