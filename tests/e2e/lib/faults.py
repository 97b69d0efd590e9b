# SPDX-License-Identifier: Apache-2.0
"""What happens to the hosts (lib/hosts.py): each fault begins, is seen to have come to pass, ends.

Evidence is a number that the system or a daemon gives, and 0 before the fault has made any
difference: a fault that nobody could have felt does not count."""
import pathlib
import subprocess

from lib.control import Control, Lost
from lib.node import Still
from lib.people import PATIENCE, Failure, until

INTO_S = 0.0002   # an aimed kill comes at most this long after a turn was seen to be open
ANSWER_S = 0.5    # in which a process that runs answers
SLOW_KBIT = (64, 128, 512)
DAY_MS = 86400000
STEPS_S = (-86400, -3 * 3600, -1200, 1200, 3 * 3600, 86400)


class Fault:
    """node: whom it strikes. exclusive: nothing else happens meanwhile. holds: the process itself,
    which only one fault at a time can have. lasting: it does not end before somebody's node says
    that a relay does not answer; may_last: it can be made so."""

    kind, unit = None, None
    exclusive = holds = lasting = False

    def __init__(self, hosts, draw):
        self.hosts = hosts
        self.node = self.victim(draw)

    def may_last(self):
        return False

    def victim(self, draw):
        return draw.choice(self.hosts.nodes)

    @property
    def host(self):
        return self.hosts.hosts[self.node]

    def __str__(self):
        return f"{self.kind}: {self.node.name}{', until it is noticed' if self.lasting else ''}"

    def begin(self):
        raise NotImplementedError

    def evidence(self):
        raise NotImplementedError

    def end(self):
        raise NotImplementedError

    def give_up(self):
        """For the end of a test that failed."""


class Killed(Fault):
    """SIGKILL, at a drawn moment, or within a turn; it is down until the end."""

    kind, unit = "killed", "kills"
    holds = True

    def __init__(self, hosts, draw):
        super().__init__(hosts, draw)
        self.into = draw.choice((None, draw.uniform(0, INTO_S)))

    def begin(self):
        self.hosts.kill(self.node, self.into)
        self.hosts.down[self.node] = 0

    def evidence(self):
        return int(self.node.process is None)

    def end(self):
        self.hosts.start(self.node)


class Stopped(Fault):
    """SIGSTOP; later SIGCONT."""

    kind, unit = "stopped", "calls not answered"
    holds = True

    def begin(self):
        self.still = Still(self.node)
        self.still.stop()
        self.unanswered = 0

    def may_last(self):
        return self.node in self.hosts.relays

    def evidence(self):
        try:
            with Control(self.node.home, timeout=ANSWER_S):
                raise Failure(f"{self}: it answers")
        except Lost:
            self.unanswered += 1
        return self.unanswered

    def end(self):
        self.still.go_on()


class CutOff(Fault):
    """Nothing passes, in either direction."""

    kind, unit = "cut off", "packets dropped"
    out = back = True
    other = None

    def begin(self):
        self.cut = self.hosts.network.cut(
            self.host, self.hosts.hosts[self.other] if self.other else None, self.out, self.back)

    def may_last(self):
        return self.other is None

    def evidence(self):
        return self.cut.dropped()

    def end(self):
        self.cut.heal()


class Mute(CutOff):
    """What it sends is dropped."""

    kind, back = "heard by nobody", False


class Deaf(CutOff):
    """What it is sent is dropped."""

    kind, out = "hears nobody", False


class Apart(CutOff):
    """Two relays do not hear each other; everybody else hears both."""

    kind = "relays apart"

    def victim(self, draw):
        one, self.other = draw.sample(self.hosts.relays, 2)
        return one

    def __str__(self):
        return f"{self.kind}: {self.node.name} and {self.other.name}"


class SlowLine(Fault):
    """Its line is slow."""

    kind, unit = "slow line", "times a packet waited"

    def __init__(self, hosts, draw):
        super().__init__(hosts, draw)
        self.kbit = draw.choice(SLOW_KBIT)

    def __str__(self):
        return f"{super().__str__()}, {self.kbit} kbit/s"

    def begin(self):
        self.slow = self.hosts.network.slow(self.host, self.kbit)

    def evidence(self):
        return self.slow.waited()

    def end(self):
        self.slow.heal()


class Renumbered(Fault):
    """The translation in front of it gets another address; it must dial again."""

    kind, unit = "address changed", "connections translated anew"

    def victim(self, draw):
        return self.hosts.translated

    def begin(self):
        self.before = self.hosts.network.translated(self.host)
        self.hosts.network.renumber(self.host)

    def evidence(self):
        return self.hosts.network.translated(self.host) - self.before

    def end(self):
        pass


class FullDisk(Fault):
    """Its disk is full. Evidence: messages that its writer was refused; it is told, no more."""

    kind, unit = "full disk", "messages refused"

    def victim(self, draw):
        return self.hosts.full

    def begin(self):
        self.before = self.refused()
        self.hosts.fill()

    def refused(self):
        return self.hosts.ledger.refusals.get((self.node.name, "disk-full"), 0)

    def evidence(self):
        return self.refused() - self.before

    def end(self):
        self.hosts.free()


class ClockStep(Fault):
    """Its clock is set, ahead or back, and later set right. Evidence: what it says carries that
    time: events of a person, the end of a code of a relay."""

    kind, unit = "clock set", "times that it told"

    def __init__(self, hosts, draw):
        super().__init__(hosts, draw)
        self.seconds = draw.choice(STEPS_S)

    def __str__(self):
        return f"{super().__str__()}, {self.seconds:+} s"

    def begin(self):
        self.cursor = None if self.node in self.hosts.relays else self.node.newest_event()
        self.hosts.step(self.node, self.seconds)

    def times(self):
        if self.cursor is None:
            return [self.node.call("relay.invite", days=1)["expires"] - DAY_MS]
        return [event["time"] for event in self.node.events_since(self.cursor)]

    def evidence(self):
        """Those that are nearer to that time than to the right one."""
        right = self.hosts.now_ms()
        return sum(abs(time - right) > abs(self.seconds) * 500 for time in self.times())

    def end(self):
        self.hosts.step(self.node, 0)


class FewFiles(Fault):
    """All links that it may have are taken by somebody (hostile_peer.c). What it has goes on, and
    its owner is answered: evidence are messages that were delivered over it since."""

    kind, unit = "files exhausted", "messages delivered meanwhile"
    exclusive = holds = True
    taker, said = None, "none taken yet"

    def victim(self, draw):
        return self.hosts.few

    def begin(self):
        self.writer = next(d for d in self.hosts.devices if self.hosts.relay_of(d) is self.node)
        self.taker = subprocess.Popen(  # pylint: disable=consider-using-with
            [str(pathlib.Path(self.hosts.options.helpers) / "e2e_hostile"),
             self.node.status()["node"], "links", str(self.hosts.options.files)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = self.taker.stdout.readline().strip()
        words = self.said.split()
        if len(words) != 4 or min(int(words[1]), int(words[3])) == 0:
            raise Failure(f"{self}: of {self.hosts.options.files} links: {self.said!r}")
        self.cursor = self.writer.newest_event()

    def __str__(self):
        return f"{super().__str__()}, {self.said}"

    def evidence(self):
        self.node.status()
        return self.writer.has_delivered(self.cursor)

    def end(self):
        self.taker.communicate(timeout=PATIENCE)
        taken = int(self.said.split()[1])
        until(f"{self.node.name} has room again", lambda: self.node.status()["links"] < taken / 2)

    def give_up(self):
        if self.taker is not None:
            self.taker.kill()
            self.taker.communicate()


KINDS = (Killed, Stopped, CutOff, Mute, Deaf, Apart, SlowLine, Renumbered, FullDisk, FewFiles,
         ClockStep)
