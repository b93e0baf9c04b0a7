"""Where values are stored: liveness, views of one another, arrays that are shared."""
