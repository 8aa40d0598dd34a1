"""The exchange without its screens."""

import gc

# Reading the program makes half a million objects that all stay; Python's default looks for garbage after every 700 new ones, which costs a
# fifth of the start of each process.
gc.set_threshold(20_000, 20, 20)
