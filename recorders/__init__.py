"""Listeners of the closed loop: to Zarr, to the screen, to video; and the reader of recordings."""
