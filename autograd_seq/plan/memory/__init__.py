"""Where values live: liveness, views of one another, arrays that are shared."""
