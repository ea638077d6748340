"""Reaching a database: where it is, how to connect, what it can do, what its errors mean.

Knows servers and sessions. Tables and series are other rooms' business.
"""
