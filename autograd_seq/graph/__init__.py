"""Programs as data: the folded graph, its order and checks, its unrolled form, its printed form."""
