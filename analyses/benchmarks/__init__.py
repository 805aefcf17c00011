"""Benchmarks: each engine against its yardstick in the same process, interleaved; the ratio is the claim."""
