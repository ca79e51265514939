import threading

import pytest

from lanet_live.capture.mailbox import BoundedQueue, LatestValue, MailboxClosed

BOXES = [LatestValue, lambda: BoundedQueue(2)]


def in_thread(work):
    """Run `work` in a thread; returns a function that waits for its answer."""
    answer = []
    thread = threading.Thread(target=lambda: answer.append(work()), name="lanet-test")
    thread.start()

    def wait():
        thread.join(timeout=10)
        assert not thread.is_alive(), "the thread is still waiting"
        return answer[0]

    return wait


def take_or_closed(box):
    try:
        return box.take(timeout_s=10)
    except MailboxClosed:
        return "closed"


def test_put_replaces_an_unread_value_and_counts_it():
    box = LatestValue()
    assert [box.put(i) for i in range(3)] == [True, False, False]
    assert box.take() == 2
    assert box.n_dropped == 2
    assert box.put(3)


def test_take_counted_tells_the_drops_since_the_last_one():
    box = LatestValue()
    seen = []
    for n in (1, 3, 2):
        for i in range(n):
            box.put(i)
        seen.append(box.take_counted())
    assert seen == [(0, 0), (2, 2), (1, 1)]


def test_none_is_a_value_like_any_other_for_the_count():
    box = LatestValue()
    box.put(None)
    assert box.put(1) is False
    assert box.n_dropped == 1


def test_every_value_is_taken_or_dropped_in_order():
    box = LatestValue()
    n_put = 5000
    received, n_counted = [], 0

    def send():
        for i in range(n_put):
            box.put(i)
        box.close()

    wait = in_thread(send)
    try:
        while True:
            value, n_dropped = box.take_counted(timeout_s=10)
            received.append(value)
            n_counted += n_dropped
    except MailboxClosed:
        pass
    wait()
    assert len(received) + box.n_dropped == n_put
    assert n_counted == box.n_dropped
    assert received == sorted(set(received))
    assert received[-1] == n_put - 1


def test_dropped_before_equals_the_gap_in_the_values():
    box = LatestValue()

    def send():
        for i in range(3000):
            box.put(i)
        box.close()

    wait = in_thread(send)
    last = -1
    try:
        while True:
            value, n_dropped = box.take_counted(timeout_s=10)
            assert n_dropped == value - last - 1
            last = value
    except MailboxClosed:
        pass
    wait()


def test_queue_hands_over_everything_in_order():
    box = BoundedQueue(2)

    def send():
        for i in range(2000):
            box.put(i)
        box.close()

    wait = in_thread(send)
    assert list(box) == list(range(2000))
    wait()


def test_full_queue_holds_its_sender_until_a_value_is_taken():
    box = BoundedQueue(1)
    box.put("a")
    wait = in_thread(lambda: box.put("b"))
    assert box.take(timeout_s=10) == "a"
    assert box.take(timeout_s=10) == "b"
    wait()


def test_closing_releases_a_waiting_sender():
    box = BoundedQueue(1)
    box.put("a")

    def send():
        try:
            box.put("b")
        except MailboxClosed:
            return "closed"

    wait = in_thread(send)
    box.close()
    assert wait() == "closed"


@pytest.mark.parametrize("make", BOXES)
def test_closing_releases_a_waiting_reader(make):
    box = make()
    wait = in_thread(lambda: take_or_closed(box))
    box.close()
    assert wait() == "closed"


@pytest.mark.parametrize("make", BOXES)
def test_waking_releases_a_waiting_reader_once(make):
    box = make()
    wait = in_thread(lambda: take_or_closed(box))
    box.wake()
    assert wait() is None
    box.put("a")
    assert box.take() == "a"


@pytest.mark.parametrize("make", BOXES)
def test_take_gives_up_after_its_time(make):
    assert make().take(timeout_s=0) is None


@pytest.mark.parametrize("make", BOXES)
def test_values_inside_outlive_closing_unless_discarded(make):
    kept, forgotten = make(), make()
    kept.put(1)
    forgotten.put(1)
    kept.close()
    kept.close()
    forgotten.close(discard=True)
    assert list(kept) == [1]
    assert list(forgotten) == []


def test_closed_boxes_accept_nothing():
    latest, queue = LatestValue(), BoundedQueue(1)
    latest.close()
    queue.close()
    assert latest.put(1) is False
    with pytest.raises(MailboxClosed):
        queue.put(1)


def test_queue_needs_room_for_one():
    with pytest.raises(ValueError, match="at least one"):
        BoundedQueue(0)
