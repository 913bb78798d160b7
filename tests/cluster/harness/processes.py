"""The processes of the run: starts, kills, terminates and checks them. A process that ends by itself is a fault of
the run, and `deserters` returns it. All of them end with the suite, because it is the first process of its PID
namespace."""
import os
import signal
import subprocess
import threading
import time

RUN = os.environ["CLUSTER_RUN"]
_all = []


class Process:
    """A command with its own log, `$CLUSTER_RUN/log/NAME.log`."""

    def __init__(self, name, argv, env=None):
        self.name, self.argv, self.env = name, [str(a) for a in argv], {**os.environ, **(env or {})}
        self._child, self._wanted, self._lock = None, False, threading.Lock()
        _all.append(self)

    def start(self):
        with self._lock:
            assert not self.runs(), f"{self.name} already runs"
            with open(self.log(), "ab") as log:
                self._child = subprocess.Popen(self.argv, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self._wanted = True

    def kill(self):
        """Kills it, as a power loss of its node would."""
        self._end(signal.SIGKILL, 10)

    def term(self, patience=40):
        """Terminates it, as a kubelet ends a pod."""
        self._end(signal.SIGTERM, patience)

    def runs(self):
        return self._child is not None and self._child.poll() is None

    def log(self):
        return f"{RUN}/log/{self.name}.log"

    def deserted(self):
        return self._wanted and not self.runs()

    def _end(self, how, patience):
        with self._lock:
            self._wanted = False
            if self.runs():
                self._child.send_signal(how)
                try:
                    self._child.wait(patience)
                except subprocess.TimeoutExpired:
                    self._child.kill()
                    self._child.wait()


def deserters():
    """Processes that ended by themselves."""
    return [p.name for p in _all if p.deserted()]


def end_all():
    for process in reversed(_all):
        process.kill()


def until(what, seconds, condition):
    """Waits until the condition holds, and returns the seconds it took. An exception counts as not yet."""
    begun = time.monotonic()
    last = None
    while time.monotonic() - begun < seconds:
        try:
            if condition():
                return time.monotonic() - begun
        except Exception as error:  # a server not up yet, an object without status
            last = error
        time.sleep(0.2)
    raise TimeoutError(f"{what}: not within {seconds} s" + (f" ({last})" if last else ""))
