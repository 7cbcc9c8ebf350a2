"""kill -9 in the middle of traffic: the store opens again, and everything but the last interval is there."""

import random
import subprocess
import sys
import threading
import time
import unittest

import harness
from harness import Link, Traffic, Weir, total


class Crash(unittest.TestCase):
    def test_history_survives_being_killed(self):
        with Link() as link, Weir() as weir, Traffic(link) as traffic:
            traffic.do("open", 20)
            ending = threading.Event()

            def keep_talking():
                while not ending.is_set():
                    traffic.do("exchange", 2000, 3000)

            thread = threading.Thread(target=keep_talking)
            thread.start()
            try:
                for round in range(4):
                    weir.wait_intervals(2)
                    time.sleep(random.uniform(0, 1))
                    weir.kill()
                    before = self.by_interval(weir, link)
                    weir.start()
                    self.compare(weir, link, before, round)
            finally:
                ending.set()
                thread.join()

    def by_interval(self, weir, link):
        """What the host had got of each interval when Weir was killed."""
        out = {}
        for p in weir.points("netflow", src_ip=link.client_ip):
            out[p.time // 1_000_000] = out.get(p.time // 1_000_000, 0) + p["bytes_written"]
        return out

    def compare(self, weir, link, before, round):
        self.assertGreater(len(before), 1)
        last = max(before)
        kept, cursor = {}, ""
        while True:
            page = weir.api("flows", q=f"src_ip:{link.client_ip}", limit=1000, to=last, **({"cursor": cursor} if cursor else {}))
            for record in page["data"]:
                kept[record["time"]] = kept.get(record["time"], 0) + record["bytes_written"]
            cursor = page.get("next_cursor")
            if not cursor:
                break
        for time_ms, bytes_written in before.items():
            if time_ms != last:
                self.assertEqual(kept.get(time_ms), bytes_written, f"round {round}: the interval ended {last - time_ms} ms before the last")

    def test_minutes_are_whole_after_a_crash(self):
        """What the killed process had not summed up yet is summed up from its intervals."""
        with Link() as link, Weir() as weir, Traffic(link) as traffic:
            traffic.do("open", 3)
            for _ in range(3):
                traffic.do("exchange", 100, 100)
                weir.wait_intervals(1)
            weir.wait_intervals(1)
            weir.kill()
            weir.start()
            answer = weir.api("summary", view="ip", q=f"src_ip:{link.client_ip}", **{"from": "-3h"})
            self.assertEqual(answer["resolution"], "minute")
            self.assertEqual(answer["totals"]["bytes_written"], 900)


class Damage(unittest.TestCase):
    def test_a_damaged_store_is_set_aside_and_a_new_one_starts(self):
        with Link() as link, Weir() as weir:
            weir.wait_intervals(1)
            weir.stop()
            data = weir.store / "data.mdb"
            data.write_bytes(b"\xff" * 100_000)
            weir.start()
            weir.wait_intervals(2)
            self.assertIn("history begins anew", weir.log())
            self.assertTrue([p for p in weir.store.iterdir() if "damaged" in p.name], list(weir.store.iterdir()))
            weir.api("summary")


if __name__ == "__main__":
    harness.main()
