"""The agent's side: policies, rollouts, evaluation, training. It never imports the server."""
