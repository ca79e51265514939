"""Keep MediaPipe from reporting usage over the network.

Since its 0.10.3x wheels MediaPipe posts versions, operating system and timings of every task to
its maker and offers no switch (looked for in 1.2). This program promises to work on faces without a
network, so two things its uploader needs are taken away; closing a task then also never waits for a
slow server. tests/e2e/test_nothing_leaves.py fails if a later version finds another way.
"""

import os
from typing import Any, Final

from lanet_engines.usage_reports import KeptBack

# MediaPipe's HTTP client, curl, knows no proxy of this kind and gives up before it looks up a name
# or opens a connection.
_IMPOSSIBLE_PROXY: Final = "none://"
# Servers named here are spoken to past the proxy.
_EXEMPTIONS: Final = ("no_proxy", "NO_PROXY")

KEPT_BACK: Final = KeptBack(
    "mediapipe",
    "post versions, operating system and timings of every face search",
    f"its HTTP client is given an impossible proxy ({_IMPOSSIBLE_PROXY}) and no certificates",
)
"""For `lanet-live --doctor`."""


def route_uploads_nowhere() -> None:
    """Give MediaPipe's HTTP client a proxy that cannot be used.

    The client reads the variable at each upload, so it must stay set. A proxy of the user's is
    replaced, in this process alone: it would be connected to, and nothing here speaks HTTPS.
    """
    os.environ["https_proxy"] = _IMPOSSIBLE_PROXY
    for name in _EXEMPTIONS:
        os.environ.pop(name, None)


def offline_options(model: bytes) -> Any:
    """Return MediaPipe options for a model, with which no upload can pass the TLS handshake."""
    from mediapipe.tasks.python.core.base_options import BaseOptions

    class _OfflineOptions(BaseOptions):  # type: ignore[misc]  # MediaPipe ships no types
        def to_ctypes(self) -> Any:
            options = super().to_ctypes()
            # An empty list of certificate authorities: no server can be trusted, nothing is sent.
            options.ca_bundle_path = os.devnull.encode()
            return options

    return _OfflineOptions(model_asset_buffer=model)
