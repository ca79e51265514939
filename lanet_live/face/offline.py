"""Keep MediaPipe from reporting usage over the network.

Since its 0.10.3x wheels MediaPipe posts versions, operating system and timings of every task to
its maker and offers no switch. This program promises to work on faces without a network, so two
things its uploader needs are taken away; closing a task then also never waits for a slow server.
"""

import os
from typing import Any, Final

# Port 9 ("discard") of this very machine: refused at once, nothing leaves.
_DEAD_END_PROXY: Final = "http://127.0.0.1:9"
_PROXY_VARIABLES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def route_uploads_nowhere() -> None:
    """Give MediaPipe's HTTP client a proxy that refuses, unless the user has set one.

    The client reads the variable at each upload, so it must stay set. The app itself never speaks
    HTTPS; the trainer fetches pretrained weights, in runs that look for no faces.
    """
    if not any(os.environ.get(name) for name in _PROXY_VARIABLES):
        os.environ["https_proxy"] = _DEAD_END_PROXY


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
