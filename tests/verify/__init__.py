"""Tests of the verification: what is changed in a target is found, with its place and both values."""
