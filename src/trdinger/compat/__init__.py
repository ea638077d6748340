"""The existing application's own packages, answered by ours, so that it can drop its copies.

Names, parameters, orders and results are the application's. They are set here and nowhere else; the store and
`records` do the work.
"""
