"""Test equipment shared by every kind of test."""
