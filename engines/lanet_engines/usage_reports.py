"""Switch off usage reports of libraries, before any of them is loaded.

The package calls this when it is first imported, which every program, test and benchmark here does
before it loads a runtime. Checked by tests/e2e/test_nothing_leaves.py, with whatever versions are
installed; MediaPipe's reports are kept back in `lanet_live.face.offline`.
"""

import os
import sys
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class KeptBack:
    """A library that would report on its user, and what keeps it from that.

    Attributes:
        library: Its name on the package index.
        would: What it would do when left alone.
        by: What was done about it.
    """

    library: str
    would: str
    by: str


# OpenVINO (seen in 2026.4) posts an event whenever it is imported, and NNCF (3.4) one a
# quantisation, both through this package. It knows no variable, only a file in the user's home and
# CI=true, which other programs read too. Both take its absence for an installation without it and
# go on with a stub of their own; should one stop doing so, its import fails here and says so. NNCF
# also has NNCF_CI, which it reads only after it has written its client id.
_OPENVINO_REPORTER: Final = "openvino_telemetry"

_VARIABLES: Final = {
    # ONNX Runtime's uploader, event database and device id. Built into the wheels for Linux and
    # macOS of late (seen in 1.31); read once, when the library is loaded. Older ones ignore it.
    "ORT_DISABLE_TELEMETRY": "1",
    # timm asks this client for weights. The trainer reads weights from files and installed packages
    # only, so the client never has a reason to speak. Read when it is imported.
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

KEPT_BACK: Final = (
    KeptBack("openvino", "post an event at every start, under a client id it leaves in the home "
             "folder", f"the package {_OPENVINO_REPORTER} is not loaded"),
    KeptBack("nncf", "post an event for every int8 build, under the same id",
             f"the package {_OPENVINO_REPORTER} is not loaded"),
    KeptBack("onnxruntime", "collect events in a database, under a device id, and upload them",
             "ORT_DISABLE_TELEMETRY=1"),
    KeptBack("huggingface_hub", "download weights and report versions when asked for weights",
             "HF_HUB_OFFLINE=1, HF_HUB_DISABLE_TELEMETRY=1"),
)  # fmt: skip
"""For `lanet-live --doctor`."""


def keep_usage_reports_back() -> None:
    """Switch the reports off in this process and in those it starts.

    A library that was loaded before is not reached any more.
    """
    os.environ.update(_VARIABLES)
    # None makes Python say that there is no such package.
    sys.modules.setdefault(_OPENVINO_REPORTER, None)  # type: ignore[arg-type]  # typeshed forbids it
