"""The layers; each has hand-written ``forward`` and ``backward``."""
