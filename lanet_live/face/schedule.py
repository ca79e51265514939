"""When to search which part of a frame. Depends on frame sizes and time stamps only."""

from dataclasses import dataclass
from typing import Final

from lanet_live.face.views import View, coarse_views, fine_views

# How soon a new face beside a known one is noticed. A look at one view costs about a fifth of the
# landmarks of one face; these intervals keep the search below a few percent of the work.
COARSE_INTERVAL_S: Final = 1.0
FINE_INTERVAL_S: Final = 4.0
# A cut asks for a full search at once; a flickering picture must not ask for one every frame.
_FULL_SEARCH_INTERVAL_S: Final = 0.25


@dataclass(slots=True)
class _ScheduledView:
    view: View
    interval_s: float
    due_s: float


class SearchSchedule:
    """Chooses the views to search on each frame, so that the cost per frame is bounded.

    At the start and after a cut every coarse view is searched at once. While no face is known, each
    frame is searched whole and in one tile, the tiles taking turns. While faces are known, at most
    one view is searched per frame, when its turn has come.
    """

    def __init__(self) -> None:
        self._size_wh: tuple[int, int] | None = None
        self._views: list[_ScheduledView] = []
        self._full_search_allowed_s = 0.0
        self._turn = 0

    def views_due(
        self, size_wh: tuple[int, int], now_s: float, *, is_any_face_known: bool, is_cut: bool
    ) -> tuple[View, ...]:
        """Return the views to search in this frame.

        Args:
            size_wh: Of the frame.
            now_s: Source time; never goes backwards.
            is_any_face_known: Some face was followed into this frame.
            is_cut: The frame starts a new shot.
        """
        is_new_size = size_wh != self._size_wh
        if is_new_size or (is_cut and now_s >= self._full_search_allowed_s):
            return self._start(size_wh, now_s)
        if is_any_face_known:
            return self._next_due(now_s)
        return self._whole_and_one_tile(now_s)

    def _start(self, size_wh: tuple[int, int], now_s: float) -> tuple[View, ...]:
        self._size_wh = size_wh
        self._full_search_allowed_s = now_s + _FULL_SEARCH_INTERVAL_S
        coarse, fine = coarse_views(size_wh), fine_views(size_wh)
        # Spread over their interval, so that later looks do not fall on one frame.
        self._views = [
            _ScheduledView(view, interval_s, now_s + interval_s * (i + 1) / len(views))
            for views, interval_s in ((coarse, COARSE_INTERVAL_S), (fine, FINE_INTERVAL_S))
            for i, view in enumerate(views)
        ]
        return coarse

    def _next_due(self, now_s: float) -> tuple[View, ...]:
        next_view = min(self._views, key=lambda v: v.due_s)
        if next_view.due_s > now_s:
            return ()
        next_view.due_s = now_s + next_view.interval_s
        return (next_view.view,)

    def _whole_and_one_tile(self, now_s: float) -> tuple[View, ...]:
        whole, *tiles = self._views
        whole.due_s = now_s + whole.interval_s
        if not tiles:
            return (whole.view,)
        self._turn = (self._turn + 1) % len(tiles)
        tile = tiles[self._turn]
        tile.due_s = now_s + tile.interval_s
        return (whole.view, tile.view)
