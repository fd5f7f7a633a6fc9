"""A view in a browser, for machines without a display."""

from ethospike.recorders.view.serve.server import Listening, serve

__all__ = ["Listening", "serve"]
