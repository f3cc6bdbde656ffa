"""Genomic tracks over measured peaks: overlap, measures of agreement, what chance gives, intervals."""
