import threading

import pytest
from PySide6.QtCore import QObject, Qt

from lanet_live.gui.bridge import QtBridge
from tests.fakes import make_result

pytestmark = pytest.mark.gui


class Counter(QObject):
    def __init__(self, bridge):
        super().__init__()
        self.n_woken = 0
        self.indices = []
        self.n_unseen = 0
        self._bridge = bridge
        bridge.woken.connect(self._on_woken, Qt.ConnectionType.QueuedConnection)

    def _on_woken(self):
        self.n_woken += 1
        delivery = self._bridge.fetch()
        self.indices += [moment.index for moment in delivery.moments]
        self.n_unseen += delivery.n_unseen


def test_never_more_than_one_wake_up_is_pending(qtbot):
    bridge = QtBridge()
    counter = Counter(bridge)
    for index in range(500):
        bridge.write(make_result(index))
    qtbot.waitUntil(lambda: len(counter.indices) == 500, timeout=5000)
    assert counter.n_woken == 1
    assert counter.n_unseen == 499


def test_every_estimate_arrives_in_order_from_another_thread(qtbot):
    bridge = QtBridge()
    counter = Counter(bridge)
    result = make_result(0)

    def write_many():
        for _ in range(3000):
            bridge.write(result)
        bridge.post("end")

    writer = threading.Thread(target=write_many)
    writer.start()
    qtbot.waitUntil(lambda: len(counter.indices) == 3000, timeout=10_000)
    writer.join(5)
    assert counter.n_woken <= 3001


def test_fetch_returns_the_newest_picture_and_all_events():
    bridge = QtBridge()
    bridge.write(make_result(0))
    bridge.post("a")
    bridge.write(make_result(1))
    bridge.post("b")
    delivery = bridge.fetch()
    assert delivery.newest.frame.index == 1
    assert [m.index for m in delivery.moments] == [0, 1]
    assert delivery.events == ("a", "b")
    assert bridge.fetch().newest is None


def test_a_shut_bridge_wakes_nobody(qtbot):
    bridge = QtBridge()
    counter = Counter(bridge)
    bridge.shut()
    bridge.write(make_result(0))
    qtbot.wait(20)
    assert counter.n_woken == 0


def test_single_pictures_without_time_follow_each_other():
    bridge = QtBridge()
    bridge.write(make_result(3, timestamp_s=float("nan")))
    assert bridge.fetch().moments[0].timestamp_s == 3.0
