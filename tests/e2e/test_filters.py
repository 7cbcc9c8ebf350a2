"""Rules that leave flows out, and what the kernel counted against what was seen, which they do not touch."""

import subprocess
import sys
import unittest

import harness
from harness import Link, Traffic, Weir, counts, in_netns, total
from nginx import NginxServer
from test_http_tls import Certificate


class Filters(unittest.TestCase):
    def established(self, weir, link, port):
        return total(weir.points("netflow", dst_ip=link.server_ip, dst_port=port), "tcp_established")

    def test_what_rules_name_is_left_out(self):
        rules = ('netlog_blacklist = """\n(dst_port == 7001 || src_port == 7001) && tcp\n'
                 "process_name == 'nothing-like-it'; udp\n\"\"\"")
        with Link() as link, Weir(config=rules) as weir:
            for port in (7001, 7002):
                with Traffic(link, port=port) as traffic:
                    traffic.do("open", 5)
                    traffic.do("exchange", 1000, 1000)
                    traffic.do("close")
            weir.wait_intervals(2)
            self.assertEqual(self.established(weir, link, 7001), 0)
            self.assertEqual(self.established(weir, link, 7002), 5)
            self.assertEqual(weir.points("netflow", transport="udp"), [])
            status = weir.api("status")
            self.assertGreaterEqual(status["filtered_records"], 10)
            self.assertEqual(status["coverage"]["lost"].get("flow_table_full"), None)

    def test_by_network_and_process(self):
        with Link() as link:
            rules = f"netlog_blacklist = \"ipnet_contains('{link.server_ip}/32', ip_daddr) && has_prefix(process_name, 'pyth')\""
            with Weir(config=rules) as weir, Traffic(link, port=7003) as traffic:
                traffic.do("open", 3)
                traffic.do("close")
                weir.wait_intervals(2)
                self.assertEqual(self.established(weir, link, 7003), 0)
                served = weir.points("netflow", src_ip=link.server_ip, src_port=7003)
                self.assertEqual(total(served, "tcp_established"), 3, "the other end meets no rule")

    def test_requests_of_a_process_that_a_rule_names(self):
        """The kernel side passes by what such a process sends and receives; under TLS, too, and no loss is told."""
        with Link() as link, Certificate() as certificate, \
                NginxServer(link, f"listen {link.server_ip}:80; listen {link.server_ip}:443 ssl;"
                                  f"{certificate.directives}") as nginx, \
                Weir(config="netlog_blacklist = \"process_name == 'curl'\"") as weir:
            for scheme in ("http", "https"):
                urls = [f"{scheme}://{link.server_ip}{path}" for path in ("/hello", "/gone", "/hello")]
                subprocess.run(in_netns(link.client, "curl", "-sk", *urls), check=True, stdout=subprocess.DEVNULL)
            weir.wait_intervals(2)
            lost = weir.api("status")["coverage"]["lost"]
            weir.stop()
            self.assertEqual(weir.points("httpflow", src_ip=link.client_ip), [])
            self.assertEqual(sum(nginx.truth().values()), 6)
            self.assertEqual(counts(weir.points("httpflow", src_ip=link.server_ip)), nginx.truth())
            self.assertEqual(lost.get("tls_socket_unknown", 0), 0)

    def test_a_mistake_is_shown_with_its_place(self):
        weir = Weir(config='netlog_blacklist = "udp; tcp && bogus"')
        done = subprocess.run([harness.HOST, "check-config", "--plugin", harness.PLUGIN, "--config", weir.config],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout + done.stderr, r'line 4: netlog_blacklist: "bogus" is not known \(line 1, column 13')


class Reconciliation(unittest.TestCase):
    """Deltas of Weir's own coverage against the truth of namespaces that nobody else uses."""

    NAMES = ("active_opens", "passive_opens", "attempt_fails", "estab_resets", "retransmits", "udp_in_datagrams",
             "udp_out_datagrams")

    def kernel(self, namespace):
        text = subprocess.run(in_netns(namespace, "cat", "/proc/net/snmp"), check=True, capture_output=True, text=True).stdout
        values = {}
        lines = text.splitlines()
        for names, numbers in zip(lines[::2], lines[1::2]):
            values.update({names.split()[0] + n: int(v) for n, v in zip(names.split()[1:], numbers.split()[1:])})
        return {name: values[key] for name, key in zip(self.NAMES, (
            "Tcp:ActiveOpens", "Tcp:PassiveOpens", "Tcp:AttemptFails", "Tcp:EstabResets", "Tcp:RetransSegs",
            "Udp:InDatagrams", "Udp:OutDatagrams"))}

    def test_what_the_kernel_counted_was_seen(self):
        resets = ("import socket, struct\nfor i in range(4):\n  s = socket.create_connection(('{ip}', {port}))\n"
                  "  s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n  s.close()\n")
        refused = "import socket\nfor i in range(7):\n  assert socket.socket().connect_ex(('{ip}', 9)) == 111\n"
        datagrams = ("import socket\na = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\na.bind(('{me}', 0))\n"
                     "b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                     "for i in range(25):\n  b.sendto(b'x', a.getsockname())\n  a.recv(9)\n")
        with Link() as link, Weir() as weir, Traffic(link) as traffic:
            weir.wait_intervals(3)  # the namespaces are known
            before = weir.api("status")["coverage"]["reconciled"]
            kernel_before = [self.kernel(n) for n in (link.client, link.server)]
            traffic.do("open", 100)
            traffic.do("exchange", 1000, 1000)
            traffic.do("close")
            for script in (resets, refused, datagrams):
                script = script.format(ip=link.server_ip, port=Traffic.PORT, me=link.client_ip)
                subprocess.run(in_netns(link.client, sys.executable, "-c", script), check=True)
            weir.wait_intervals(4)
            after = weir.api("status")["coverage"]["reconciled"]
            self.assertEqual(set(after), set(self.NAMES))
            for name in self.NAMES:
                kernel = after[name]["kernel"] - before[name]["kernel"]
                seen = after[name]["seen"] - before[name]["seen"]
                truth = sum(self.kernel(n)[name] - b[name] for n, b in zip((link.client, link.server), kernel_before))
                with self.subTest(name):
                    # the rest of the machine is counted, too, and may be between two states just now
                    self.assertGreaterEqual(kernel, truth)
                    self.assertAlmostEqual(seen, kernel, delta=max(5, 0.05 * kernel), msg=f"kernel {kernel}, truth {truth}")

    def test_is_in_the_metrics(self):
        with Weir() as weir:
            weir.wait_intervals(2)
            text = weir.get("/metrics")
            for name in self.NAMES:
                for side in ("kernel", "seen"):
                    self.assertIn(f'weir_reconciled_total{{counter="{name}",side="{side}"}}', text)


if __name__ == "__main__":
    harness.main()
