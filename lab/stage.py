"""Private networks made of network namespaces, for the demo, the tests and the benchmarks.

        client                                                        server
        a peer, and the way to all other peers                        the host whose listeners are served
       +---------------------------------------+  veth pair, or an   +---------------------------------------+
       |                                       |  impaired link      |                                       |
       | eth0   10.77.0.1/24   fd77::1/64      |---------------------| eth0   10.77.0.2/24   fd77::2/64      |
       |                                       |                     |        default routes: the client     |
       | stage.own("client", "10.78.0.0/16"):  |                     |                                       |
       | as many peers as wanted               |                     |                           to-<name>   |
       +---------------------------------------+                     +---------------------------------------+
            |  stage.neighbour("neighbour"):                                                      |
            |  on the same link as the server (macvlan)                stage.container("box"):    |
       +---------------------------------------+                       behind the server (veth)   |
       | eth0   10.77.0.3/24   fd77::3/64      |                     +---------------------------------------+
       +---------------------------------------+                     | eth0   10.88.1.2/24   fd88:1::2/64    |
                                                                     +---------------------------------------+

    with Stage() as stage:
        stage.nginx("server", 80)
        stage.pass_frames("client", "eth0")
        stage.vestibule("server", "eth0")
        print(stage.run("client", ["curl", "-s", "http://10.77.0.2/"]).stdout)

The impaired link of Stage(impairment=Impairment(rtt=50, loss=5)) is a program with a TAP interface at each end
(lab/link.cpp). How a stage comes and goes: network.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import nginx
from network import End, Impairment, Network
from process import Process, StageError, tool, until
from receiver import Receiver


class Stage(Network):
    """The namespaces `client` and `server`, what else is added, and all that runs in them."""

    def __init__(self, mtu: int = 1500, static_neighbours: bool = False, transcript: bool = False,
                 impairment: Impairment | None = None) -> None:
        """With an `impairment`, the link between client and server is the process `impaired_link`."""
        super().__init__(mtu, transcript)
        self.impairment = impairment
        self.impaired_link: Process | None = None
        self.static_neighbours = static_neighbours
        self._containers = 0
        self._receivers: dict[tuple[str, str], Receiver] = {}

    def _build(self) -> None:
        self.namespace("client")
        self.namespace("server")
        if self.impairment:
            self.impaired_link = self.impaired("client", "eth0", "server", "eth0", self.impairment)
        else:
            self.veth("client", "eth0", "server", "eth0")
        self.client = self._settle("client", "eth0", "10.77.0.1/24", "fd77::1/64")
        self.server = self._settle("server", "eth0", "10.77.0.2/24", "fd77::2/64")
        self.route("server", "default", "10.77.0.1")
        self.route("server", "default", "fd77::1")
        if self.static_neighbours:
            self.know(self.client, self.server)
            self.know(self.server, self.client)

    # --- Who else is there --------------------------------------------------------------------------------------------

    def neighbour(self, ns: str = "neighbour", host: int = 3) -> End:
        """One more peer on the server's own link: no gateway in between."""
        self.namespace(ns)
        self.ip("client", f"link add link eth0 name {ns[:15]} type macvlan mode bridge")
        self.ip("client", f"link set {ns[:15]} netns {self.path(ns).name} name eth0")
        self.ip(ns, "link set eth0 up")
        return self._settle(ns, "eth0", f"10.77.0.{host}/24", f"fd77::{host}/64")

    def container(self, ns: str = "container") -> End:
        """A namespace behind the server, which forwards for it, as a container host does."""
        self._containers += 1
        v4, v6 = f"10.88.{self._containers}", f"fd88:{self._containers}:"
        self.namespace(ns)
        self.veth("server", f"to-{ns}"[:15], ns, "eth0")
        self.address("server", f"to-{ns}"[:15], f"{v4}.1/24", f"{v6}:1/64")
        self.sysctl("server", {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1})
        end = self._settle(ns, "eth0", f"{v4}.2/24", f"{v6}:2/64")
        for via, back, subnet in ((f"{v4}.1", self.server.v4, f"{v4}.0/24"), (f"{v6}:1", self.server.v6, f"{v6}:/64")):
            self.route(ns, "default", via)
            self.route("client", subnet, back)
        return end

    def _settle(self, ns: str, interface: str, v4: str, v6: str) -> End:
        self.address(ns, interface, v4, v6)
        return End(ns, interface, v4.split("/")[0], v6.split("/")[0], self.link(ns, interface))

    # --- Servers ------------------------------------------------------------------------------------------------------

    def nginx(self, ns: str, port: int = 80, backlog: int = 511, big: int = 1 << 28) -> Process:
        """A web server with one worker, both families: / is a line of text, /big has that many bytes."""
        prefix = self.directory / f"nginx-{ns}-{port}"
        (prefix / "pages").mkdir(parents=True)
        (prefix / "pages/index.html").write_text(f"{ns}, port {port}\n")
        with (prefix / "pages/big").open("wb") as file:
            file.truncate(big)
        (prefix / "nginx.conf").write_text(nginx.configuration(prefix, port, backlog))
        server = self.spawn(ns, ["nginx", "-p", prefix, "-c", prefix / "nginx.conf", "-e", prefix / "error.log"])
        until(lambda: not server.running() or self.listens(ns, port), 10)
        if not self.listens(ns, port):
            raise server.trouble(f"does not listen on port {port}")
        return server

    def vestibule(self, ns: str, interface: str, *options: object, env: Mapping[str, str] | None = None) -> Process:
        """The program all this is about, up and answering."""
        process = self.spawn(ns, [tool("cli/vestibule"), "run", "--interface", interface, *options], env)
        process.wait_for("^ready$", 30)
        return process

    def status(self, ns: str) -> dict[str, object]:
        return json.loads(self._quietly(ns, tool("cli/vestibule"), "status", "--json"))

    def counters(self, ns: str) -> dict[str, int]:
        return self.status(ns)["counters"]  # type: ignore[return-value]

    def wait_for_service(self, ns: str, port: int, *addresses: str, timeout: float = 5) -> None:
        """Waits until Vestibule answers for that port of these addresses."""
        def served() -> set[str]:
            ends: list[dict[str, object]] = self.status(ns)["endpoints"]  # type: ignore[assignment]
            return {str(end["address"]) for end in ends if (end["port"], end["state"]) == (port, "served")}

        if not until(lambda: set(addresses) <= served(), timeout):
            raise StageError(f"Vestibule does not serve port {port} of {ns}: {json.dumps(self.status(ns)['endpoints'])}")

    # --- Frames -------------------------------------------------------------------------------------------------------

    def pass_frames(self, ns: str, interface: str) -> Process:
        """A program that passes all frames: with it, veth takes what the other end sends with XDP_TX."""
        return self._xdp("pass", ns, interface)

    def sink_frames(self, ns: str, interface: str) -> Process:
        """Like pass_frames(), but what a flood's random sources sent or should get ends here, at little cost.

        Stopped, it prints {"sunk": N}.
        """
        return self._xdp("sink", ns, interface)

    def return_frames(self, ns: str, interface: str) -> Process:
        """The bare program that returns SYNs with XDP_TX; stopped, it prints {"returned": N}."""
        return self._xdp("tx", ns, interface)

    def _xdp(self, what: str, ns: str, interface: str) -> Process:
        process = self.spawn(ns, [tool("lab/vestibule-lab-xdp"), what, "--interface", interface])
        process.wait_for("^ready$")
        return process

    def take_frames(self, ns: str, interface: str) -> None:
        """Without an XDP program of its own, veth takes frames from another XDP program only when it does GRO."""
        self._quietly(ns, "ethtool", "-K", interface, "gro", "on")

    def flood(self, *options: object, port: int = 80, family: int = 4, cpu: int | None = None) -> Process:
        """SYNs from the client's end to the server: stage.flood("--rate", 300_000, "--seconds", 5).json()."""
        self.take_frames(self.server.namespace, self.server.interface)
        return self.spawn("client", [
            tool("lab/vestibule-flood"), "--interface", self.client.interface, "--destination-link", self.server.link,
            "--destination", self.server.address(family), "--port", port, *options,
            *(() if cpu is None else ("--pin-cpu", cpu)),
        ])

    def pin_receive(self, ns: str, interface: str, cpu: int, first: bool = False) -> None:
        """Moves the receiving work of a veth interface into a kernel thread, on a CPU of the caller's choice; with `first`,
        it goes before others there: where they may want the CPU, a queue of 256 frames does not outlast their time slices.
        """
        # GRO keeps the interface's receiving machinery, and so the thread, when XDP programs come and go.
        self.take_frames(ns, interface)
        if (ns, interface) not in self._receivers:
            self._receivers[ns, interface] = Receiver(self.path(ns).name, interface)
        self._receivers[ns, interface].pin(cpu, first)

    def receiving_seconds(self, ns: str, interface: str) -> float:
        """Processor time that the receiving thread of pin_receive has had so far."""
        return self._receivers[ns, interface].seconds()
