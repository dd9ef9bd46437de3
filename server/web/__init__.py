"""The page at ``/web``: a person plays episodes in a browser, over the same WebSocket as any client."""
