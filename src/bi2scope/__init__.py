"""bi2scope: Bi2Former attention between genes and ATAC peaks, precomputed, served and drawn."""
