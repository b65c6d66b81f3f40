"""Runs Debian's OpenStack clients for tests, each command in a process of its own that is forked once their modules are
loaded: to start Python and load them takes more than a second of a core, and no test is about that.

Reads orders, a JSON object a line: id, program, args, cwd, env, input ("closed" or "empty"), and the files stdout and
stderr. Writes {"id": …, "code": …} when a command has ended. Ends with its standard input.
"""

import importlib
import importlib.metadata
import json
import os
import signal
import sys
import traceback

import stevedore._cache

PROGRAMS = {"glance": "glanceclient.shell", "openstack": "openstackclient.shell"}


def load_glance():
    for name in ("glanceclient.v2.shell", "glanceclient.v2.client", "keystoneclient.client"):
        importlib.import_module(name)
    stevedore._cache.get_group_all("keystoneauth1.plugin")


def load_openstack():
    """All its plugins, as every command of it does."""
    points = importlib.metadata.entry_points()
    for group in points.groups:
        stevedore._cache.get_group_all(group)
        if not group.startswith(("openstack.", "cliff.", "keystoneauth1.")):
            continue
        for point in points.select(group=group):
            try:
                point.load()
            except Exception:  # of a plugin whose requirements are not installed
                pass
    importlib.import_module("cliff.command")._get_distributions_by_modules()


def main(program):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    importlib.import_module(PROGRAMS[program])
    {"glance": load_glance, "openstack": load_openstack}[program]()
    for line in sys.stdin:
        order = json.loads(line)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            command = os.fork()
            if command == 0:
                execute(program, order)
            status = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
            # Short enough to be written as a whole, whoever else writes.
            os.write(1, json.dumps({"id": order["id"], "code": status}).encode() + b"\n")
            os._exit(0)


def execute(program, order):
    code = 1
    try:
        os.chdir(order["cwd"])
        os.environ.clear()
        os.environ.update(order["env"])
        for number in (1, 2):
            file = os.open(order[("stdout", "stderr")[number - 1]], os.O_WRONLY | os.O_CREAT, 0o600)
            os.dup2(file, number)
            os.close(file)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", errors="backslashreplace")
        os.close(0)
        sys.stdin = open("/dev/null") if order["input"] == "empty" else None
        sys.argv = [program, *order["args"]]
        code = importlib.import_module(PROGRAMS[program]).main()
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code or 0)


main(sys.argv[1])
