"""Tests of the move, and what other tests need of it: a mover, samples, an independent comparison."""
