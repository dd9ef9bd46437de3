"""The environment: data, SQL engine, grading, episode, HTTP and WebSocket."""
