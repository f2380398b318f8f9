"""Catalogues of the fixed sentences: one module a language, with the same keys and placeholders in each."""
