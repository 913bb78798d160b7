"""Tests the judgement itself, on records made by hand: a suite whose record says "holds" whatever happened is
worthless."""
import os
import tempfile
import unittest

os.environ.setdefault("CLUSTER_RUN", tempfile.gettempdir())
from harness.record import MOST_GAP, Record, Sample  # noqa: E402  (after the path is set)

KEY = "here/web"


def judge(spec, need=10, answers=None, step=1, ready=False):
    """A record of one object; `spec` has its replicas of each second, and `answers` what the scaler said in it."""
    record = Record()
    answers = answers or [10] * len(spec)
    record.rows = [(1000.0 + step * t, {"load": need[t] if isinstance(need, list) else need},
                    {KEY: Sample(spec=s, ready=s, answers={"forescale-1": a})})
                   for t, (s, a) in enumerate(zip(spec, answers))]
    return record.judge(KEY, lambda load: load["load"], 0, ready=ready)


class Judging(unittest.TestCase):
    def test_enough_all_the_time_holds(self):
        self.assertTrue(judge([10, 12, 11, 10]).holds())

    def test_one_second_below_the_need_falls_short_and_is_unsafe(self):
        judged = judge([10, 9, 10], answers=[9, 9, 9])
        self.assertEqual((judged.short, judged.explained, judged.unsafe, judged.lowest), (1, 0, 1, 9))
        self.assertFalse(judged.holds())

    def test_a_lowering_below_the_need_is_unsafe_although_the_answer_is_right(self):
        self.assertEqual(judge([10, 9, 10]).unsafe, 1)

    def test_replicas_that_go_but_suffice_are_safe(self):
        self.assertTrue(judge([14, 10]).holds())

    def test_the_hpas_own_delay_explains_a_rise_that_was_asked_for(self):
        judged = judge([5] * 15 + [10] * 5, need=[5] * 3 + [10] * 17, answers=[5] * 3 + [10] * 17)
        self.assertEqual((judged.short, judged.explained), (12, 12))
        self.assertTrue(judged.holds())

    def test_it_explains_no_rise_that_was_not_asked_for(self):
        judged = judge([5] * 20, need=[5] * 3 + [10] * 17, answers=[5] * 20)
        self.assertEqual((judged.short, judged.explained), (17, 0))

    def test_it_explains_no_longer_than_it_lasts(self):
        judged = judge([5] * 60, need=[5] * 3 + [10] * 57, answers=[5] * 3 + [10] * 57)
        self.assertEqual((judged.short, judged.explained), (57, 18))
        self.assertFalse(judged.holds())

    def test_a_server_that_asks_for_less_is_told_although_the_hpa_has_not_followed(self):
        judged = judge([10] * 3, answers=[10, 2, 10])
        self.assertEqual((judged.asked_less, judged.lowest_answer, judged.short), (1, 2, 0))

    def test_a_missing_answer_asks_for_nothing(self):
        self.assertEqual(judge([5] * 4, answers=["no data"] * 4).explained, 0)

    def test_a_record_with_a_hole_or_without_the_object_proves_nothing(self):
        self.assertFalse(judge([10] * 5, step=MOST_GAP + 1).holds())
        self.assertFalse(Record().judge(KEY, lambda _: 1, 0).holds())


if __name__ == "__main__":
    unittest.main()
