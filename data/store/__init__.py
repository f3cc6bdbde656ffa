"""The attention store: one HDF5 file; its layout, its writer, its reader."""
