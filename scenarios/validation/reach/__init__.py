"""The reaching cortex compared with the publication."""
