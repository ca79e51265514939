import sys
import threading
from pathlib import Path

import pytest

from lanet_engines.openvino.signal_stack import signal_stack_address
from lanet_engines.registry import open_engine


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sigaltstack is read on Linux")
def test_opening_openvino_leaves_the_threads_signal_stack_alone(tiny_model_path: Path) -> None:
    before = signal_stack_address()
    engine = open_engine(tiny_model_path, backend="openvino")
    assert signal_stack_address() == before
    closer = threading.Thread(target=engine.close)
    closer.start()
    closer.join(timeout=30)
    assert signal_stack_address() == before
