"""The layers that compute, each with hand-written ``forward`` and ``backward``."""
