"""Images in folders, as ImageNet has them, decoded ahead of training by threads.

``listing``: what is there; ``decode``: bytes to RGB; ``crops``: which part; ``prefetch``: threads
that work ahead; ``images``: all that behind the face of an array.
"""
